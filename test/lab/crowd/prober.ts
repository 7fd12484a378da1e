import path from 'node:path';
import { z } from 'zod';
import { checkout } from '../checkout.js';
import type { Cleanup } from '../cleanup.js';
import type { NamespaceProcess } from '../namespace.js';
import { says } from '../says.js';
import type { Scene } from './scene.js';

/** One probe through a client's tunnel and back. */
export interface Probe {
  /** When it was sent, Unix time in milliseconds. */
  readonly sentMs: number;
  /** Its round-trip time, milliseconds; undefined: no answer came until a second after the end. */
  readonly rttMs: number | undefined;
}

/** The pause between two probes of one client, milliseconds. */
export const PROBE_INTERVAL_MS = 100;

const output = z.array(z.array(z.tuple([z.number(), z.number().nullable()])));

/** Probes every client, through its tunnel, from the web server. The client's kernel answers. */
export class Prober {
  private constructor(private readonly child: NamespaceProcess) {}

  static async start({ network, clients }: Scene, cleanup: Cleanup): Promise<Prober> {
    const program = path.join(checkout, 'test/lab/crowd/prober.py');
    const addresses = clients.map(({ tunnelAddress }) => tunnelAddress);
    // Answers to the web server's other addresses would not come through the tunnel.
    const source = network.webAddress.v4;
    const child = network.web.start('python3', [program, `${PROBE_INTERVAL_MS}`, source, ...addresses]);
    cleanup.add(async () => {
      child.kill('SIGKILL');
      await child;
    });
    await says(child.stdout, 'probing');
    return new Prober(child);
  }

  /** @returns the probes of each client, in the order of the scene. @throws {Error} if the program failed. */
  async stop(): Promise<Probe[][]> {
    this.child.kill('SIGTERM');
    const { exitCode, stdout, stderr } = await this.child;
    if (exitCode !== 0) throw new Error(`the probes ended without a result: ${stderr}`);
    const results = output.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
    return results.map((probes) => probes.map(([sentMs, rttMs]) => ({ sentMs, rttMs: rttMs ?? undefined })));
  }
}
