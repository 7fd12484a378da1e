import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { accessPoints } from './isps.js';
import type { Scene } from './scene.js';

/** The counters of one client's interface on one path. They never decrease. */
export interface PathCounters {
  /** Bytes that the client received. */
  readonly bytes: number;
  /** Packets in both directions. */
  readonly packets: number;
}

/** The counters of all clients' interfaces at one moment. */
export interface InterfaceSample {
  /** Unix time in milliseconds. */
  readonly timeMs: number;
  /** By the client's name, then by the path's. */
  readonly clients: Readonly<Record<string, Readonly<Record<string, PathCounters>>>>;
}

const everyMs = 100;
const paths = accessPoints.map(({ name }) => name);

/** Reads the interfaces of all clients ten times a second until it is stopped. */
export class InterfaceWatch {
  readonly #samples: InterfaceSample[] = [];
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;

  constructor(private readonly scene: Scene) {
    this.#running = this.#run();
    // `stop` throws the error
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<InterfaceSample[]> {
    this.#ended.abort();
    await this.#running;
    return this.#samples;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const clients = await Promise.all(
        this.scene.clients.map(async ({ name, openvpn }) => [name, await readPaths(openvpn.pid)] as const),
      );
      this.#samples.push({ timeMs: Date.now(), clients: Object.fromEntries(clients) });
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** By the path's name; a path that the client does not have is left out. */
async function readPaths(pid: number): Promise<Record<string, PathCounters>> {
  const text = await readFile(`/proc/${pid}/net/dev`, 'utf8');
  return parsePaths(text);
}

/** Reads the text of /proc/net/dev: eight columns of what was received, then eight of what was sent. */
export function parsePaths(text: string): Record<string, PathCounters> {
  const rows = text.split('\n').flatMap((line) => {
    const [device = '', counters = ''] = line.split(':');
    const name = device.trim();
    const [bytes = 0, received = 0, , , , , , , , sent = 0] = counters.trim().split(/\s+/).map(Number);
    return paths.includes(name) ? [[name, { bytes, packets: received + sent }] as const] : [];
  });
  return Object.fromEntries(rows);
}
