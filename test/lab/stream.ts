import { z } from 'zod';
import { labScript } from './checkout.js';
import type { Cleanup } from './cleanup.js';
import { datagramBytes, PACKET_BYTES } from './crowd/datagram.js';
import type { SendPlan } from './crowd/send-plan.js';
import type { Namespace } from './namespace.js';
import type { Network } from './network.js';
import { tunDevice } from './openvpn-config.js';
import { says } from './says.js';

const PORT = 5001;
const LONGEST_MS = 1_200_000;
const line = z.object({ atMs: z.number(), longestMs: z.number() });

/** A stream of UDP at a constant rate from the web server to a client, through its tunnel. It shows when the tunnel stands still. */
export class Stream {
  readonly #arrivals: z.infer<typeof line>[] = [];

  private constructor(readonly stop: () => Promise<void>) {}

  /** @param mbit the rate of its IP packets, Mbit/s. */
  static async start(
    cleanup: Cleanup,
    { web }: Pick<Network, 'web'>,
    client: Namespace,
    mbit: number,
  ): Promise<Stream> {
    const receiver = client.start(process.execPath, [labScript('arrivals'), `${PORT}`]);
    await says(receiver.stdout, 'listening');
    const plan: SendPlan = {
      port: PORT,
      datagramBytes: datagramBytes(PACKET_BYTES),
      intervalMs: (PACKET_BYTES * 8) / (mbit * 1000),
      durationMs: LONGEST_MS,
      targets: [{ address: await tunnelAddress(client), bursts: [{ fromMs: 0, toMs: LONGEST_MS }] }],
    };
    const sender = web.start(process.execPath, [labScript('crowd/rate-sender'), JSON.stringify(plan)]);
    const stream = new Stream(async () => {
      for (const child of [sender, receiver]) {
        child.kill('SIGKILL');
        await child;
      }
    });
    cleanup.add(() => stream.stop());
    void stream.#read(receiver.iterable());
    return stream;
  }

  async #read(lines: AsyncIterable<unknown>): Promise<void> {
    for await (const text of lines)
      if (String(text).startsWith('{')) this.#arrivals.push(line.parse(JSON.parse(String(text))));
  }

  /** When something arrived last, Unix time in milliseconds, exact to 50 ms; undefined: nothing yet. */
  get lastMs(): number | undefined {
    return this.#arrivals.at(-1)?.atMs;
  }

  /**
   * The longest time without an arrival, milliseconds.
   * @param fromMs, untilMs Unix time; gaps that ended before or began after are left out.
   */
  longestGap(fromMs: number, untilMs = Date.now()): number {
    const within = this.#arrivals.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs);
    const last = within.at(-1)?.atMs ?? fromMs;
    return Math.max(untilMs - last, ...within.map(({ longestMs }) => longestMs));
  }
}

/** @returns the client's IPv4 address in the tunnel. @throws {Error} if it has none. */
export async function tunnelAddress(client: Namespace): Promise<string> {
  const { stdout } = await client.run('ip', ['-4', '-o', 'address', 'show', 'dev', tunDevice]);
  const address = /inet ([\d.]+)/.exec(stdout)?.[1];
  if (address === undefined) throw new Error(`${tunDevice} in ${client.name} has no address`);
  return address;
}
