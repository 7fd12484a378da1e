import { mkdir } from 'node:fs/promises';
import { Cleanup } from '../cleanup.js';
import type { Arrangement } from './arrangement.js';
import { constantRate } from './constant-rate.js';
import { downloads } from './downloads.js';
import { figuresOf } from './figures.js';
import type { LoadOptions } from './load.js';
import type { RunReport } from './report.js';
import { Sampler } from './sampler.js';
import { buildScene } from './scene.js';

/**
 * One arrangement under one load, on a network and with OpenVPN processes of its own.
 * @param out where configs and logs go.
 * @param cleanup of the whole experiment, for when it is interrupted.
 * @throws {Error} if something of it failed: a client that reconnected, bytes that are not those that were sent.
 */
export async function runOnce(
  arrangement: Arrangement,
  load: LoadOptions,
  out: string,
  cleanup: Cleanup,
): Promise<RunReport> {
  await mkdir(out, { recursive: true });
  const own = new Cleanup();
  cleanup.add(() => own.run());
  try {
    const scene = await buildScene(own, arrangement, out);
    const sampler = new Sampler(scene);
    const result = await (load.kind === 'constant' ? constantRate : downloads)(scene, load);
    const { samples, latenessMs } = await sampler.stop();
    for (const { name, openvpn } of scene.clients) {
      const reconnects = await openvpn.reconnects();
      if (reconnects > 0) throw new Error(`${name} reconnected ${reconnects} times`);
    }
    return figuresOf({
      arrangement,
      load: load.kind,
      clients: scene.clients,
      result,
      samples,
      latenessMs,
      switches: (await scene.sidecar?.switches()) ?? [],
    });
  } finally {
    await own.run();
  }
}
