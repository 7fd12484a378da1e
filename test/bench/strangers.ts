import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { withCleanup } from '../lab/cleanup.js';
import type { Namespace } from '../lab/namespace.js';
import { networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { partOfCore } from '../lab/process-usage.js';
import { says } from '../lab/says.js';
import { untilStatus } from '../lab/scenarios/scenario.js';
import { asService } from '../lab/service.js';
import { writeRules } from '../lab/sidecar-files.js';
import { Sidecar } from '../lab/sidecar.js';
import { buildStage } from '../lab/stage.js';
import { until } from '../support/until.js';
import type { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { startPeer, startServer } from './peer.js';
import { ratios, spreadOf } from './rounds.js';

/** Port of the other service. */
const PORT = 4000;
/** How many of its connections come and go in a second. */
const PER_SECOND = 10;
/** Milliseconds until the effects of a change are over. */
const SETTLE_MS = 20_000;
/** Milliseconds of a measurement. It includes the observation that happens once a minute. */
const ROUND_MS = 61_000;
const PATIENCE_MS = 300_000;

export const strangersBench: Bench = {
  name: 'strangers',
  about:
    "the daemon's processor time with 8,000 connections of another MPTCP service in the server's namespace, and 10 new ones a second",
  needs: networkNeeds,
  async run({ quick, output, say }) {
    const [held, settleMs, roundMs] = quick ? [100, 2_000, 5_000] : [8000, SETTLE_MS, ROUND_MS];
    return withCleanup(async (cleanup) => {
      // The daemon watches the parents of its config, and other programs create files in /tmp.
      const stage = await buildStage(cleanup, {
        paths: figure6Paths,
        backend: 'netlink',
        clients: 2,
        parent: '/var/tmp',
      });
      const { files, network } = stage;
      await writeRules(files, figure6Paths, { '*': 'lte' });
      const namespace = await asService(network.server);
      const sidecar = Sidecar.start(namespace, files.config, path.join(output, 'strangers.log'));
      cleanup.add(() => sidecar.stop());
      await until('subflowd', () => sidecar.status(), PATIENCE_MS);
      await stage.connect(0, 'alice');
      await untilStatus(files, 'alice on her path', ({ sessions }) =>
        sessions.some(({ state, current }) => state === 'obeyed' && current === 'lte'),
      );
      await startServer(network.server, cleanup, PORT);
      const stranger = network.clients[1]?.namespace;
      if (stranger === undefined) throw new Error('the network has no second client');
      const where = [network.serverAddress.v4, `${PORT}`];

      const measure = async (what: string) => {
        // Time must pass here: nothing may happen before the measurement.
        await sleep(settleMs);
        const part = 100 * (await partOfCore(sidecar.pid ?? 0, roundMs));
        say(`${what}: ${part.toFixed(3)} % of a core`);
        return part;
      };
      const alone = await measure('without other connections');
      const holder = startPeer(stranger, cleanup, 'hold', ...where, `${held}`);
      await says(holder.child.stdout, 'held');
      say(`${await countOf(network.server)} connections`);
      const idle = await measure('with idle connections');
      startPeer(stranger, cleanup, 'visit', ...where, `${PER_SECOND}`);
      const busy = await measure(`and with ${PER_SECOND} new ones a second`);
      const figure = (name: string, part: number): Figure => ({
        name,
        against: 'without them',
        where: 'this machine, netlink',
        ratio: spreadOf(ratios([part], [alone])),
        ours: spreadOf([part]),
        theirs: spreadOf([alone]),
        unit: '% of a core',
      });
      const others = `${held} idle connections of another service`;
      return {
        figures: [figure(others, idle), figure(`${others}, ${PER_SECOND} more a second come and go`, busy)],
      };
    });
  },
};

/** Number of the MPTCP connections of the other service. */
async function countOf(server: Namespace): Promise<number> {
  const { stdout } = await server.run('ss', ['-HMn', 'state', 'established', `sport = :${PORT}`]);
  return stdout.split('\n').filter((line) => line !== '').length;
}
