import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { received } from '../devices.js';
import { tunDevice } from '../openvpn-config.js';
import { accessPoints } from './isps.js';
import type { CrowdClient, Scene } from './scene.js';

/** The kernel's counters at one moment, towards the clients. They never decrease. */
export interface Sample {
  /** Unix time in milliseconds. */
  readonly timeMs: number;
  /** What the access point's shaped interface has sent, with Ethernet headers, and dropped; by the path's name. */
  readonly paths: Readonly<Record<string, { readonly bytes: number; readonly drops: number }>>;
  /** By the client's name. */
  readonly clients: Readonly<Record<string, ClientSample>>;
}

export interface ClientSample {
  /** Bytes of IP packets out of the tunnel. */
  readonly tunnelBytes: number;
  /** Bytes that the client's interface has received, by the path's name. The kernel may count several packets as one. */
  readonly pathBytes: Readonly<Record<string, number>>;
}

const everyMs = 1000;
const timerMs = 10;

const queues = z.array(z.object({ dev: z.string(), kind: z.string(), bytes: z.number(), drops: z.number() }));

/** What was recorded from the start to the stop. */
export interface Samples {
  /** The first is from the start, the last from the stop. */
  readonly samples: readonly Sample[];
  /**
   * How late this process's own timers were, the 99th percentile, ms. From some tens on, the machine probably had too little
   * time for OpenVPN, too.
   */
  readonly latenessMs: number;
}

/** Reads the counters every second until it is stopped. */
export class Sampler {
  readonly #samples: Sample[] = [];
  readonly #timers = monitorEventLoopDelay({ resolution: timerMs });
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;

  constructor(private readonly scene: Scene) {
    this.#timers.enable();
    this.#running = this.#run();
    // `stop` throws the error
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<Samples> {
    this.#ended.abort();
    this.#timers.disable();
    await this.#running;
    const now = await takeSample(this.scene);
    // a rate over a few milliseconds would be noise
    if (now.timeMs - (this.#samples.at(-1)?.timeMs ?? 0) < everyMs / 2) this.#samples.pop();
    this.#samples.push(now);
    return { samples: this.#samples, latenessMs: this.#timers.percentile(99) / 1e6 - timerMs };
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      this.#samples.push(await takeSample(this.scene));
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function takeSample({ network, clients }: Scene): Promise<Sample> {
  const beforeMs = Date.now();
  const { stdout } = await network.internet.run('tc', ['-s', '-j', 'qdisc', 'show']);
  const timeMs = (beforeMs + Date.now()) / 2;
  const shaped = queues.parse(JSON.parse(stdout)).filter(({ kind }) => kind === 'tbf');
  const each = await Promise.all(
    clients.map(async (client) => [client.name, await readClient(client)] as const),
  );
  return {
    timeMs,
    paths: Object.fromEntries(shaped.map(({ dev, bytes, drops }) => [dev, { bytes, drops }])),
    clients: Object.fromEntries(each),
  };
}

async function readClient({ openvpn }: CrowdClient): Promise<ClientSample> {
  const devices = await received(openvpn.pid);
  const bytes = (device: string) => devices.get(device)?.bytes ?? 0;
  return {
    tunnelBytes: bytes(tunDevice),
    pathBytes: Object.fromEntries(accessPoints.map(({ name }) => [name, bytes(name)])),
  };
}
