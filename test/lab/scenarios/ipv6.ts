// A server on IPv6, first without hooks, then without management. A client follows its rule in both cases.
import { figure6Paths } from '../network.js';
import { Sidecar } from '../sidecar.js';
import { writeRules, type SidecarFiles } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { readFile, writeFile } from 'node:fs/promises';
import { reconnects, say, scenario, untilStatus } from './scenario.js';

await scenario(async (cleanup, out) => {
  const paths = figure6Paths;
  const stage = await buildStage(cleanup, { paths, family: 6, logs: out });
  const { files, network } = stage;
  const tunnel = await stage.connect(0, 'alice');
  const log = `${out}/subflowd.log`;
  const runs: Record<string, unknown> = {};
  for (const [missing, primary] of [
    ['hooks', 'lte'],
    ['management', 'wifi'],
    ['nothing', 'lte'],
  ] as const) {
    await writeRules(files, paths, { alice: primary });
    await without(files, missing);
    const sidecar = Sidecar.start(network.server, files.config, log);
    cleanup.add(() => sidecar.stop());
    const management = missing === 'management' ? 'absent' : 'connected';
    runs[missing] = await untilStatus(
      files,
      `alice is on ${primary} without ${missing}`,
      ({ sessions, servers }) =>
        servers[0]?.management === management &&
        sessions.some(
          (one) => one.state === 'obeyed' && one.primary === primary && one.subflows.length === 2,
        ),
    );
    say(`without ${missing}: alice is on ${primary}`);
    await sidecar.stop();
  }
  return { runs, reconnects: await reconnects([tunnel]) };
});

/** Removes one of the two sources of sessions, hooks or management, from the sidecar's config. */
async function without(files: SidecarFiles, missing: 'hooks' | 'management' | 'nothing'): Promise<void> {
  const text = await readFile(files.config, 'utf8');
  const lines = text
    .split('\n')
    .filter((line) => missing !== 'management' || !/^(management|password-file) /.test(line));
  const changed = lines.map((line) =>
    missing === 'hooks' && line.startsWith('events ') ? `${line}-unused` : line,
  );
  await writeFile(files.config, changed.join('\n'));
}
