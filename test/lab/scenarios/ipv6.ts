// A server on IPv6, without hooks and then without management: a client follows its rule with either missing.
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
      `alice on ${primary} without ${missing}`,
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

/** Takes one of the two ways in which the sidecar hears of sessions out of the config. */
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
