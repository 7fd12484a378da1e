import { z } from 'zod';
import { labScript } from './checkout.js';
import type { Cleanup } from './cleanup.js';
import type { Namespace, NamespaceProcess } from './namespace.js';
import { says } from './says.js';
import type { Network } from './network.js';

const port = 8080;
const line = z.object({ bytes: z.number(), sha256: z.string().optional(), seconds: z.number().optional() });

/** The result of a transfer. */
export interface TransferResult {
  readonly bytes: number;
  /** Of the received bytes, in hexadecimal. The side that received them has computed it. */
  readonly sha256: string;
  /** From the request to the last byte. */
  readonly seconds: number;
}

/** Starts the web server behind the VPN server. */
export async function startWeb(cleanup: Cleanup, network: Network): Promise<void> {
  const child = network.web.start(process.execPath, [labScript('web-server'), `${port}`]);
  cleanup.add(async () => {
    child.kill('SIGTERM');
    await child;
  });
  await says(child.stdout, 'listening');
}

/** A download or an upload by a client, through its tunnel. */
export class Transfer {
  /** Bytes so far. */
  bytes = 0;
  /** Whether it is running and can receive a {@link release}. */
  hasStarted = false;
  readonly done: Promise<TransferResult>;

  readonly #child: NamespaceProcess;

  private constructor(client: Namespace, args: readonly string[], timeoutMs: number) {
    this.#child = client.start(process.execPath, [labScript('web-client'), ...args], timeoutMs);
    this.done = this.#run(args, timeoutMs);
    // whoever waits for `done` later gets the error then
    this.done.catch(() => undefined);
  }

  /**
   * Starts a download.
   * @param options `kbit` limits the rate, kbit/s; by default, there is no limit. `stops` are numbers of bytes: at each, the
   * client reads nothing more until a {@link release}. Then the download is still in progress when a test needs it, even on a
   * slow machine. With a stop at 0, the client does not send the request before.
   */
  static download(
    network: Pick<Network, 'webAddress'>,
    client: Namespace,
    bytes: number,
    {
      kbit,
      stops = [],
      timeoutMs = 300_000,
    }: { kbit?: number; stops?: readonly number[]; timeoutMs?: number } = {},
  ): Transfer {
    const query = kbit === undefined ? '' : `?kbit=${kbit}`;
    return new Transfer(
      client,
      ['get', `http://${network.webAddress.v4}:${port}/${bytes}${query}`, stops.join(',')],
      timeoutMs,
    );
  }

  static upload(network: Network, client: Namespace, bytes: number, timeoutMs = 300_000): Transfer {
    return new Transfer(client, ['post', `http://${network.webAddress.v4}:${port}/`, `${bytes}`], timeoutMs);
  }

  /** Lets a download continue to its next stop. */
  release(): void {
    this.#child.kill('SIGUSR2');
  }

  async #run(args: readonly string[], timeoutMs: number): Promise<TransferResult> {
    const child = this.#child;
    let last: z.infer<typeof line> | undefined;
    for await (const text of child.iterable()) {
      last = line.parse(JSON.parse(text));
      this.hasStarted = true;
      this.bytes = last.bytes;
    }
    const { stderr, timedOut } = await child;
    if (last?.sha256 === undefined || last.seconds === undefined) {
      const why = timedOut ? `not done after ${timeoutMs} ms` : stderr;
      throw new Error(`transfer (${args.join(' ')}) ended after ${this.bytes} bytes: ${why}`);
    }
    return { bytes: this.bytes, sha256: last.sha256, seconds: last.seconds };
  }
}
