import { NetlinkBackend } from '../../src/backend/netlink.js';
import type { SubflowName } from '../../src/model/subflow.js';
import { withCleanup } from '../lab/cleanup.js';
import { networkNeeds } from '../lab/needs.js';
import { until } from '../support/until.js';
import type { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { Floor } from './floor.js';
import { RealSessions } from './real-sessions.js';
import { ratios, spreadOf, takeTurns, timed } from './rounds.js';
import { setPriority } from '../support/set-priority.js';

const PATIENCE_MS = 120_000;

export const netlinkBench: Bench = {
  name: 'netlink',
  about: "on this machine's kernel: an observation through netlink against ss, and a switch against ip",
  needs: networkNeeds,
  async run(course) {
    const wanted = course.quick ? 50 : 1000;
    return withCleanup(async (cleanup) => {
      course.say(`connecting ${wanted} sessions of 3 subflows`);
      const sessions = await RealSessions.open(cleanup, (server) =>
        server.sysctl({ 'net.mptcp.pm_type': 1 }),
      );
      const { pid, network } = sessions;
      const backend = await NetlinkBackend.open();
      cleanup.add(() => backend.close());
      // From now on the kernel accepts further subflows.
      backend.trackServers([pid]);
      await sessions.add(wanted);
      const connections = await until(
        'every subflow',
        async () => {
          const { connections: found } = await backend.connections(pid);
          return found.length === wanted && found.every(({ subflows }) => subflows.length === 3)
            ? found
            : undefined;
        },
        PATIENCE_MS,
      );
      const names = connections.flatMap(({ remote: connection, subflows: [, second] }): SubflowName[] =>
        second ? [{ pid, connection, local: second.local, remote: second.remote }] : [],
      );

      course.say('an observation');
      const ss = Floor.start({ command: ['ip', 'netns', 'exec', network.server.name, ...Floor.command] });
      cleanup.add(() => ss.stop());
      const observations = await takeTurns(
        {
          ours: (count) =>
            timed(async () => {
              for (let done = 0; done < count; done++) await backend.connections(pid);
            }),
          ss: (count) => ss.time('spawn', count, 'ss', '-HMtniO', 'state', 'established'),
        },
        course,
      );
      course.say('a switch');
      const ip = await sessions.ipRival();
      cleanup.add(() => ip.stop());
      let at = 0;
      const switches = await takeTurns(
        {
          ours: (count) =>
            timed(async () => {
              for (let done = 0; done < count; done++) {
                const name = names[at % names.length];
                if (!name) throw new Error('there is no session to switch');
                const priority = Math.floor(at++ / names.length) % 2 === 0 ? 'backup' : 'active';
                const { outcome, reason } = await setPriority(backend, name, priority);
                if (outcome !== 'committed') throw new Error(`${outcome}: ${reason ?? ''}`);
              }
            }),
          ip: ip.run,
        },
        course,
      );
      const where = 'this machine, netlink';
      const per = (times: readonly number[]) => spreadOf(times.map((time) => time / wanted));
      const figures: Figure[] = [
        {
          name: `a session of ${wanted}`,
          against: '`ss -Mti` printing the same',
          where,
          ratio: spreadOf(ratios(observations.ours, observations.ss)),
          goal: { is: 'at most', value: 1 },
          ours: per(observations.ours),
          theirs: per(observations.ss),
          unit: 'ns',
        },
        {
          name: `switch, ${wanted} sessions in turn`,
          against: ip.against,
          where,
          ratio: spreadOf(ratios(switches.ip, switches.ours)),
          goal: { is: 'at least', value: ip.atLeast },
          ours: spreadOf(switches.ours),
          theirs: spreadOf(switches.ip),
          unit: 'ns',
        },
      ];
      return { figures };
    });
  },
};
