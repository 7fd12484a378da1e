import type { Addresses } from './addresses.js';
import { openvpnPort } from './openvpn.js';
import type { Packet } from './packet.js';

export type Direction = 'toClient' | 'toServer';

/** A tunnel packet with payload, and its path. */
export interface PathPacket {
  readonly timeMs: number;
  readonly path: string;
  readonly direction: Direction;
  readonly bytes: number;
}

/** Finds the path of each packet with payload, from a capture at a client with these addresses. */
export function onPaths(
  packets: readonly Packet[],
  addresses: Readonly<Record<string, Addresses>>,
): PathPacket[] {
  const pathOf = new Map(
    Object.entries(addresses).flatMap(([path, { v4, v6 }]) => [
      [v4, path],
      [v6, path],
    ]),
  );
  return packets.flatMap(({ timeMs, bytes, source, destination, sourcePort }) => {
    const direction = sourcePort === openvpnPort ? 'toClient' : 'toServer';
    const path = pathOf.get(direction === 'toClient' ? destination : source);
    return path === undefined || bytes === 0 ? [] : [{ timeMs, path, direction, bytes }];
  });
}

/** Sums the bytes of the packets from `fromMs` to before `untilMs`, with the given path and direction. */
export function sumBytes(
  packets: readonly PathPacket[],
  {
    path,
    direction,
    fromMs = -Infinity,
    untilMs = Infinity,
  }: {
    path?: string;
    direction?: Direction | undefined;
    fromMs?: number;
    untilMs?: number;
  },
): number {
  let sum = 0;
  for (const packet of packets) {
    if (packet.timeMs < fromMs || packet.timeMs >= untilMs) continue;
    if (path !== undefined && packet.path !== path) continue;
    if (direction !== undefined && packet.direction !== direction) continue;
    sum += packet.bytes;
  }
  return sum;
}

/** The path's share of the payload, 0 to 1; null if there was no payload. */
export function share(
  packets: readonly PathPacket[],
  path: string,
  span: { direction?: Direction; fromMs: number; untilMs: number },
): number | null {
  const all = sumBytes(packets, span);
  return all === 0 ? null : sumBytes(packets, { ...span, path }) / all;
}

/** One point of a path's throughput. */
export interface Throughput {
  /** Middle of the interval. */
  readonly seconds: number;
  readonly path: string;
  readonly mbit: number;
}

const stepMs = 250;

/**
 * The throughput of both directions together, with a point for each path and quarter of a second.
 * @param zeroMs the time that the points count from.
 */
export function throughput(
  packets: readonly PathPacket[],
  paths: readonly string[],
  beganMs: number,
  endedMs: number,
  zeroMs: number,
): Throughput[] {
  const steps = Math.max(0, Math.ceil((endedMs - beganMs) / stepMs));
  const sums = new Map(paths.map((path) => [path, new Array<number>(steps).fill(0)]));
  for (const { timeMs, path, bytes } of packets) {
    const bins = sums.get(path);
    const at = Math.floor((timeMs - beganMs) / stepMs);
    if (bins !== undefined && at >= 0 && at < steps) bins[at] = (bins[at] ?? 0) + bytes;
  }
  return [...sums].flatMap(([path, bins]) =>
    bins.map((bytes, at) => ({
      seconds: (beganMs - zeroMs + (at + 0.5) * stepMs) / 1000,
      path,
      mbit: (bytes * 8) / 1000 / stepMs,
    })),
  );
}
