import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Namespace, NamespaceProcess } from './namespace.js';
import { openvpnPort } from './openvpn.js';
import { says } from './says.js';
import { parsePacket, type Packet } from './packet.js';
import { until } from '../support/until.js';

/** Enough of each packet for tcpdump to show every header and option. */
const snapshotBytes = 160;

/** Counts a client's tunnel packets on every interface: tcpdump into a file while it runs, read afterwards. */
export class Meter {
  private constructor(
    private readonly client: Namespace,
    private readonly file: string,
    private readonly child: NamespaceProcess,
  ) {}

  /** @param file of the capture; kept. */
  static async start(client: Namespace, file: string): Promise<Meter> {
    await mkdir(path.dirname(file), { recursive: true });
    const child = client.start('tcpdump', [
      ...['-i', 'any', '-n', '--immediate-mode', '-U', '-Z', 'root', '-B', '16384', '-s', `${snapshotBytes}`],
      ...['-w', file, 'tcp', 'port', `${openvpnPort}`],
    ]);
    // Whatever passes before tcpdump says this is not captured.
    await says(child.stderr, 'listening on');
    return new Meter(client, file, child);
  }

  /** Ends the capture and reads it: packets in order of time. */
  async stop(): Promise<Packet[]> {
    await this.#written();
    this.child.kill('SIGINT');
    const { stderr } = await this.child;
    const dropped = Number(/(\d+) packets dropped by kernel/.exec(stderr)?.[1] ?? 0);
    if (dropped > 0) throw new Error(`tcpdump dropped ${dropped} packets: its figures would be wrong`);
    return readCapture(this.client, this.file);
  }

  /** On a slow machine tcpdump lags, and what it has not read when it is told to end is lost without a count. */
  async #written(): Promise<void> {
    let before = -1;
    await until(
      'tcpdump has written everything',
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

/** Read in the namespace, because the capture has the interfaces' numbers and not their names. */
async function readCapture(client: Namespace, file: string): Promise<Packet[]> {
  const child = client.start('tcpdump', ['-r', file, '-n', '-tt']);
  const packets: Packet[] = [];
  for await (const line of child.iterable()) {
    const packet = parsePacket(line);
    if (packet !== undefined) packets.push(packet);
  }
  return packets.sort((a, b) => a.timeMs - b.timeMs);
}
