import { mkdir } from 'node:fs/promises';
import { Cleanup } from '../cleanup.js';
import type { Arrangement } from './arrangement.js';
import { downloads } from './downloads.js';
import { figuresOf } from './figures.js';
import { InterfaceWatch } from './interface-watch.js';
import type { LoadKind, LoadOptions, LoadResult } from './load.js';
import { Prober } from './prober.js';
import { changingRate, constantRate } from './rates.js';
import type { RunReport } from './report.js';
import { Sampler } from './sampler.js';
import { buildScene, type Scene, type SceneOptions } from './scene.js';

const LOADS: Readonly<Record<LoadKind, (scene: Scene, load: LoadOptions) => Promise<LoadResult>>> = {
  constant: constantRate,
  changing: changingRate,
  downloads,
};

/**
 * Runs one arrangement under one load, with its own network and OpenVPN processes.
 * @param cleanup the one of the whole experiment, which runs if the experiment is interrupted.
 * @throws {Error} if a client reconnected or received other bytes than were sent.
 */
export async function runOnce(
  arrangement: Arrangement,
  load: LoadOptions,
  options: SceneOptions,
  cleanup: Cleanup,
): Promise<RunReport> {
  await mkdir(options.out, { recursive: true });
  const own = new Cleanup();
  cleanup.add(() => own.run());
  try {
    const scene = await buildScene(own, arrangement, options);
    const prober = await Prober.start(scene, own);
    const watch = new InterfaceWatch(scene);
    const sampler = new Sampler(scene);
    const result = await LOADS[load.kind](scene, load);
    const { samples, latenessMs } = await sampler.stop();
    const interfaces = await watch.stop();
    const probes = await prober.stop();
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
      interfaces,
      probes,
      latenessMs,
      switches: (await scene.sidecar?.switches()) ?? [],
    });
  } finally {
    await own.run();
  }
}
