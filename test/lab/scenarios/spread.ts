// Six clients download over one of two equal access points. With `balance`, half of them move to the other one: first only
// planned, with `dry-run = yes`, then in fact. After that, nobody moves.
import { readCounters, rise } from '../counters.js';
import { labScript } from '../checkout.js';
import type { PathOptions } from '../network.js';
import { Sidecar, type SwitchEvent } from '../sidecar.js';
import { writeRules, type MoreLines } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { until } from '../../support/until.js';
import { startWeb } from '../web.js';
import {
  command,
  PATIENCE_MS,
  reconnects,
  say,
  scenario,
  statusOf,
  untilStatus,
  wantedBackend,
} from './scenario.js';

const CLIENTS = 6;
const RATE_MBIT = 8;
const PATHS: readonly PathOptions[] = [
  { name: 'wifi', number: 100, rateMbit: RATE_MBIT },
  { name: 'lte', number: 200, rateMbit: RATE_MBIT },
];
/** So large that the downloads are still running at the end of the scenario. */
const DOWNLOAD_BYTES = 1_000_000_000;
const DWELL_S = 3;
/** Several dwell times. */
const REST_MS = 15_000;

const capacity: MoreLines['path'] = ({ rateMbit }) => [`capacity = ${rateMbit}mbit`];
const balanced = (dryRun: 'yes' | 'no'): MoreLines => ({
  path: capacity,
  sections: [
    ['[default]', 'mode = balance'],
    ['[steering]', `dry-run = ${dryRun}`, `dwell = ${DWELL_S}s`],
  ],
});

/** The switches that came within the dwell time after the same session's last switch. */
function withinDwell(switches: readonly SwitchEvent[]): SwitchEvent[] {
  const last = new Map<string, number>();
  return switches.filter(({ commonName, committedAt }) => {
    const stayed = committedAt - (last.get(commonName) ?? -Infinity);
    last.set(commonName, committedAt);
    // the dwell time is between two decisions; their commits may be a little closer to each other
    return stayed < DWELL_S * 900;
  });
}

await scenario(async (cleanup, out) => {
  const stage = await buildStage(cleanup, {
    paths: PATHS,
    clients: CLIENTS,
    backend: wantedBackend(),
    logs: out,
  });
  const { files, network } = stage;
  await writeRules(files, PATHS, { '*': 'wifi' });
  const sidecar = Sidecar.start(network.server, files.config, `${out}/subflowd.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the sidecar answers', () => true);
  await startWeb(cleanup, network);
  const tunnels = await Promise.all(
    network.clients.map((_, index) => stage.connect(index, `client-${index}`)),
  );
  await untilStatus(
    files,
    'every client is on wifi and has both paths',
    ({ sessions }) =>
      sessions.length === CLIENTS &&
      sessions.every(
        ({ state, primary, subflows }) => state === 'obeyed' && primary === 'wifi' && subflows.length >= 2,
      ),
  );
  for (const { namespace } of network.clients) {
    const url = `http://${network.webAddress.v4}:8080/${DOWNLOAD_BYTES}`;
    const child = namespace.start(process.execPath, [labScript('web-client'), 'get', url]);
    cleanup.add(async () => {
      child.kill('SIGKILL');
      await child;
    });
  }
  const crowded = await untilStatus(files, 'wifi is congested', ({ paths, sessions }) => {
    const [wifi] = paths;
    return (
      wifi !== undefined &&
      wifi.isCongested &&
      wifi.carried.down > 0.7e6 * RATE_MBIT &&
      sessions.every(({ rate }) => rate)
    );
  });
  say('all clients download over wifi, and it is congested');

  const before = await readCounters(network.server);
  await writeRules(files, PATHS, {}, balanced('yes'));
  const dry = await untilStatus(
    files,
    'the dry run plans half of the clients on lte',
    ({ sessions }) => sessions.filter(({ primary }) => primary === 'lte').length === CLIENTS / 2,
  );
  const dryExplained = await command(
    files,
    `mptcp explain ${dry.sessions.find(({ primary }) => primary === 'lte')?.session.commonName ?? ''}`,
  );
  const dryPrioTx = rise('MPTcpExtMPPrioTx', before, await readCounters(network.server));
  const drySwitches = (await sidecar.switches()).filter(({ to }) => to === 'lte').length;
  say('the dry run would put half of them on lte, and did nothing');

  await writeRules(files, PATHS, {}, balanced('no'));
  const spread = await untilStatus(
    files,
    'half of the clients are on each path, and both paths are in use',
    ({ sessions, paths }) =>
      sessions.every(({ state }) => state === 'obeyed') &&
      sessions.filter(({ current }) => current === 'lte').length === CLIENTS / 2 &&
      paths.every(({ carried }) => carried.down > 0.7e6 * RATE_MBIT),
  );
  say('half of them are on lte, and both paths are in use');

  const began = Date.now();
  await until(
    `no switch for ${REST_MS / 1000} s`,
    async () => {
      const last = (await sidecar.switches()).at(-1)?.committedAt ?? began;
      return Date.now() - Math.max(began, last) >= REST_MS;
    },
    PATIENCE_MS,
  );
  say('all clients stay where they are');
  return {
    crowded, dry, dryExplained, dryPrioTx, drySwitches, spread,
    end: await statusOf(files),
    pathsText: await command(files, 'mptcp paths'),
    explained: await command(files, 'mptcp explain client-0'),
    withinDwell: withinDwell(await sidecar.switches()),
    reconnects: await reconnects(tunnels),
  }; // prettier-ignore
});
