import type { InterfaceSample } from './interface-watch.js';
import type { Burst } from './load.js';

/** What one client is sent, and when. */
export interface OfferedRate {
  readonly client: string;
  /** With all headers, in each of its bursts, Mbit/s. */
  readonly mbit: number;
  readonly bursts: readonly Burst[];
}

/** How long access points were offered more than they can carry. */
export interface Relief {
  /** When an access point was first offered more than it can carry, seconds since the load began. */
  readonly overloadedAt: number;
  /** From then until both were below it for {@link LASTING_MS}, seconds; absent: that did not happen. */
  readonly relievedAfter?: number;
  /** For how long in total one of them was offered more, seconds. */
  readonly overloadedFor: number;
  /** Each time in which one was offered more although both together could carry all: how long it lasted, seconds. */
  readonly avoidable: readonly number[];
}

/** The share of a path in what carries a client is measured over this many milliseconds. */
const SHARE_MS = 300;
/** Both access points must stay below their capacity for this many milliseconds. */
const LASTING_MS = 1000;
/** Fewer bytes than this in {@link SHARE_MS} do not show which path carries a client. */
const MIN_BYTES = 5000;

/**
 * Finds when an access point was overloaded, and when this ended. The offered load of an access point is the sum over its
 * clients: what each is sent, times the share of the access point in what the client received just before.
 * @param samples in order of time.
 * @param capacities Mbit/s, by the path's name.
 * @returns undefined if no access point was overloaded.
 */
export function reliefOf(
  samples: readonly InterfaceSample[],
  offered: readonly OfferedRate[],
  capacities: ReadonlyMap<string, number>,
  { beganMs, endedMs }: { readonly beganMs: number; readonly endedMs: number },
): Relief | undefined {
  const overloads = overloadsIn(samples, offered, capacities, beganMs).filter(
    ({ timeMs }) => timeMs >= beganMs && timeMs <= endedMs,
  );
  const first = overloads.find(({ isOverloaded }) => isOverloaded);
  if (!first) return undefined;
  const relieved = overloads.find(
    ({ timeMs }) =>
      timeMs > first.timeMs &&
      timeMs + LASTING_MS <= endedMs &&
      !overloads.some((one) => one.isOverloaded && one.timeMs >= timeMs && one.timeMs <= timeMs + LASTING_MS),
  );
  const overloadedMs = overloads.reduce(
    (sum, { isOverloaded, elapsedMs }) => sum + (isOverloaded ? elapsedMs : 0),
    0,
  );
  return {
    overloadedAt: (first.timeMs - beganMs) / 1000,
    ...(relieved && { relievedAfter: (relieved.timeMs - first.timeMs) / 1000 }),
    overloadedFor: overloadedMs / 1000,
    avoidable: avoidableTimes(overloads),
  };
}

interface Overload {
  readonly timeMs: number;
  readonly elapsedMs: number;
  readonly isOverloaded: boolean;
  /** Whether all that is offered is at most what all access points can carry. */
  readonly fits: boolean;
}

function avoidableTimes(overloads: readonly Overload[]): number[] {
  const seconds: number[] = [];
  let before = false;
  for (const { isOverloaded, fits, elapsedMs } of overloads) {
    const isAvoidable = isOverloaded && fits;
    if (isAvoidable) seconds.push((before ? (seconds.pop() ?? 0) : 0) + elapsedMs / 1000);
    before = isAvoidable;
  }
  return seconds;
}

function overloadsIn(
  samples: readonly InterfaceSample[],
  offered: readonly OfferedRate[],
  capacities: ReadonlyMap<string, number>,
  beganMs: number,
): Overload[] {
  const lastShares = new Map<string, ReadonlyMap<string, number>>();
  const room = [...capacities.values()].reduce((sum, one) => sum + one, 0);
  let oldest = 0;
  return samples.slice(1).map((sample, index) => {
    const { timeMs } = sample;
    while ((samples[oldest + 1]?.timeMs ?? Infinity) <= timeMs - SHARE_MS) oldest++;
    const loads = new Map<string, number>();
    let all = 0;
    for (const { client, mbit, bursts } of offered) {
      const shares = sharesOf(samples[oldest], sample, client) ?? lastShares.get(client);
      if (!shares) continue;
      lastShares.set(client, shares);
      if (!isIn(bursts, timeMs - beganMs)) continue;
      all += mbit;
      for (const [path, share] of shares) loads.set(path, (loads.get(path) ?? 0) + share * mbit);
    }
    const isOverloaded = [...capacities].some(([path, capacity]) => (loads.get(path) ?? 0) > capacity);
    return {
      timeMs,
      elapsedMs: timeMs - (samples[index]?.timeMs ?? timeMs),
      isOverloaded,
      fits: all <= room,
    };
  });
}

function isIn(bursts: readonly Burst[], sinceBeganMs: number): boolean {
  return bursts.some(({ fromMs, toMs }) => sinceBeganMs >= fromMs && sinceBeganMs < toMs);
}

/** The share of each path in what a client received between two samples; undefined: it received almost nothing. */
function sharesOf(
  before: InterfaceSample | undefined,
  after: InterfaceSample,
  client: string,
): ReadonlyMap<string, number> | undefined {
  const bytes = Object.entries(after.clients[client] ?? {}).map(
    ([path, counters]) =>
      [path, counters.bytes - (before?.clients[client]?.[path]?.bytes ?? counters.bytes)] as const,
  );
  const all = bytes.reduce((sum, [, one]) => sum + one, 0);
  return all < MIN_BYTES ? undefined : new Map(bytes.map(([path, one]) => [path, one / all]));
}
