// One client, alice, with each mode that chooses the paths of one client alone. A second client fills a path.
import type { Mode } from '../../../src/model/mode.js';
import { labScript } from '../checkout.js';
import { congestionControl } from '../crowd/congestion.js';
import type { ClientHost, PathOptions } from '../network.js';
import type { DaemonStatus } from '../../../src/api/status.js';
import type { SessionPlan } from '../../../src/steering/plan.js';
import { Sidecar } from '../sidecar.js';
import { writeRules } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { startWeb } from '../web.js';
import { reconnects, say, scenario, untilStatus, wantedBackend } from './scenario.js';

const RATE_MBIT = 8;
const PATHS: readonly PathOptions[] = [
  { name: 'wifi', number: 100, rateMbit: RATE_MBIT },
  { name: 'lte', number: 200, rateMbit: RATE_MBIT },
];
/** So large that the download is still running at the end of the scenario. */
const DOWNLOAD_BYTES = 1_000_000_000;
const SMALL_BYTES = 2_000;

await scenario(async (cleanup, out) => {
  const stage = await buildStage(cleanup, {
    paths: PATHS,
    clients: 2,
    backend: wantedBackend(),
    logs: out,
    // it must fill queues, which BBR would not do
    sysctl: { 'net.ipv4.tcp_congestion_control': await congestionControl() },
  });
  const { files, network } = stage;
  const [host, otherHost] = network.clients as [ClientHost, ClientHost];
  let mode: Mode = 'active-standby';
  let others = 'wifi';
  const rule = (wanted: Mode, ...lines: readonly string[]) => {
    mode = wanted;
    return writeRules(
      files,
      PATHS,
      { other: others },
      {
        sections: [
          ['[client alice]', `mode = ${mode}`, ...lines],
          ['[steering]', 'dwell = 2s'],
        ],
      },
    );
  };
  const untilAlice = (what: string, condition: (session: SessionPlan, status: DaemonStatus) => boolean) =>
    untilStatus(files, what, (status) =>
      status.sessions.some(
        (one) =>
          one.session.commonName === 'alice' &&
          one.rule.mode === mode &&
          one.state === 'obeyed' &&
          condition(one, status),
      ),
    );
  const get = ({ namespace }: ClientHost, bytes: number) =>
    namespace.start(process.execPath, [
      labScript('web-client'),
      'get',
      `http://${network.webAddress.v4}:8080/${bytes}`,
    ]);
  const download = (one: ClientHost) => {
    const child = get(one, DOWNLOAD_BYTES);
    const end = async () => {
      child.kill('SIGKILL');
      await child;
    };
    cleanup.add(end);
    return end;
  };

  await rule('load-balancing');
  const sidecar = Sidecar.start(network.server, files.config, `${out}/subflowd.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the sidecar answers', () => true);
  await startWeb(cleanup, network);
  const tunnels = await Promise.all([stage.connect(0, 'alice'), stage.connect(1, 'other')]);
  let endDownload = download(host);
  const both = await untilAlice(
    'both paths are active and in use',
    ({ active, subflows }, { paths }) =>
      active?.length === 2 &&
      subflows.filter(({ subflow }) => subflow.ours === 'active').length === 2 &&
      paths.every(({ carried }) => carried.down > 0.3e6 * RATE_MBIT),
  );
  say('load-balancing: both paths carry the download');

  await rule('balance', 'both = when-full');
  const alone = await untilAlice('one path is active', ({ primary }) => primary !== undefined);
  const whenFull = await untilAlice('the other path is active, too', ({ active }) => active?.length === 2);
  say('both = when-full: the other path is active, too');
  await endDownload();
  const roomAgain = await untilAlice('one path is active again', ({ primary }) => primary !== undefined);
  say('both = when-full: one path is active again');
  endDownload = download(host);

  await rule('priority-based', 'primary = wifi, lte');
  const first = await untilAlice('only wifi is active', ({ primary }) => primary === 'wifi');
  const joined = await untilAlice('lte is active, too', ({ active }) => active?.join() === 'wifi,lte');
  say('priority-based: lte is active, too');
  await endDownload();
  const left = await untilAlice('only wifi is active again', ({ primary }) => primary === 'wifi');
  say('priority-based: only wifi is active again');

  const over = new AbortController();
  const small = (async () => {
    while (!over.signal.aborted) await get(host, SMALL_BYTES);
  })();
  cleanup.add(() => {
    over.abort();
    return small;
  });
  await rule('smallest-delay');
  const quick = await untilAlice('one path is active', ({ primary }) => primary !== undefined);
  const filled = quick.sessions.find(({ session }) => session.commonName === 'alice')?.primary ?? '';
  others = filled;
  await rule('smallest-delay');
  await untilStatus(files, 'the other client is on the same path', ({ sessions }) =>
    sessions.some(({ session, current }) => session.commonName === 'other' && current === filled),
  );
  endDownload = download(otherHost);
  const quicker = await untilAlice(
    'alice is on the path that is not full',
    ({ primary }) => primary !== undefined && primary !== filled,
  );
  say('smallest-delay: alice left the path that the other client fills');
  await endDownload();
  return {
    both,
    alone,
    whenFull,
    roomAgain,
    first,
    joined,
    left,
    filled,
    quicker,
    reconnects: await reconnects(tunnels),
  };
});
