import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Namespace, NamespaceProcess } from './namespace.js';
import { openvpnPort } from './openvpn.js';
import { says } from './says.js';
import { parsePacket, type Packet } from './packet.js';
import { until } from '../support/until.js';

/** Bytes of each packet that are captured: enough for all headers and options. */
const snapshotBytes = 160;

/** Captures a client's tunnel packets on every interface with tcpdump. The file is read after the end of the capture. */
export class Meter {
  private constructor(
    private readonly client: Namespace,
    private readonly file: string,
    private readonly child: NamespaceProcess,
  ) {}

  /** @param file the capture, which is kept. */
  static async start(client: Namespace, file: string): Promise<Meter> {
    await mkdir(path.dirname(file), { recursive: true });
    const child = client.start('tcpdump', [
      ...['-i', 'any', '-n', '--immediate-mode', '-U', '-Z', 'root', '-B', '16384', '-s', `${snapshotBytes}`],
      ...['-w', file, 'tcp', 'port', `${openvpnPort}`],
    ]);
    // Packets before this message are not captured.
    await says(child.stderr, 'listening on');
    return new Meter(client, file, child);
  }

  /** Ends the capture and reads it: packets in order of time. */
  async stop(): Promise<Packet[]> {
    await this.#written();
    this.child.kill('SIGINT');
    const { stderr } = await this.child;
    const dropped = Number(/(\d+) packets dropped by kernel/.exec(stderr)?.[1] ?? 0);
    if (dropped > 0) throw new Error(`tcpdump dropped ${dropped} packets, so the figures would be wrong`);
    return readCapture(this.client, this.file);
  }

  /** Waits until tcpdump has written everything. On a slow machine it lags, and at its end it loses unread packets silently. */
  async #written(): Promise<void> {
    let before = -1;
    await until(
      'tcpdump to write all captured packets',
      async () => {
        const { size } = await stat(this.file);
        const same = size === before;
        before = size;
        return same;
      },
      120_000,
      1000,
    );
  }
}

/** Reads a capture in the client's namespace, because the file has the numbers of interfaces but not their names. */
async function readCapture(client: Namespace, file: string): Promise<Packet[]> {
  const child = client.start('tcpdump', ['-r', file, '-n', '-tt']);
  const packets: Packet[] = [];
  for await (const line of child.iterable()) {
    const packet = parsePacket(line);
    if (packet !== undefined) packets.push(packet);
  }
  return packets.sort((a, b) => a.timeMs - b.timeMs);
}
