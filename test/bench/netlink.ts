import type { PriorityRequest } from '../../src/backend/backend.js';
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

const PATIENCE_MS = 120_000;
/** How many times quicker than `ip` each change of a round should be. */
const BATCH_GOAL = 150;

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
      const named = (at: number) =>
        connections.map(({ remote: connection, subflows }): SubflowName => {
          const subflow = subflows[at];
          if (!subflow) throw new Error('a session has fewer than 3 subflows');
          return { pid, connection, local: subflow.local, remote: subflow.remote };
        });
      const [seconds, thirds] = [named(1), named(2)];

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
      const set = async (requests: readonly PriorityRequest[]) => {
        for (const result of await backend.setPriorities(requests))
          if (result.outcome !== 'committed') throw new Error(JSON.stringify(result));
      };
      let rounds = 0;
      const switches = await takeTurns(
        {
          // each repetition is a round in which each session has one change
          ours: (count) =>
            timed(async () => {
              for (let done = 0; done < count; done++) {
                const priority = rounds++ % 2 === 0 ? 'backup' : 'active';
                await set(seconds.map((name) => ({ name, priority })));
              }
            }),
          ip: ip.run,
        },
        course,
      );
      const perChange = switches.ours.map((ns) => ns / wanted);
      if (rounds % 2 === 1) await set(seconds.map((name) => ({ name, priority: 'active' })));
      course.say('all sessions leave a path');
      await set(thirds.map((name) => ({ name, priority: 'backup' })));
      const emptied: number[] = [];
      for (let round = 0; round < course.rounds; round++) {
        const [to, from] = round % 2 === 0 ? [thirds, seconds] : [seconds, thirds];
        const ns = await timed(() =>
          set(
            to.flatMap((name, at) => [
              { name, priority: 'active' as const },
              { name: from[at] as SubflowName, priority: 'backup' as const },
            ]),
          ),
        );
        emptied.push(ns / 1e6);
      }
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
          name: `a change, ${wanted} sessions in a round`,
          against: ip.against,
          where,
          ratio: spreadOf(ratios(switches.ip, perChange)),
          goal: { is: 'at least', value: BATCH_GOAL },
          ours: spreadOf(perChange),
          theirs: spreadOf(switches.ip),
          unit: 'ns',
        },
        {
          name: `${wanted} sessions leave a path, from the decision to the last priority read back`,
          against: 'two changes for each',
          where,
          ours: spreadOf(emptied),
          goal: { is: 'at most', value: 150 },
          unit: 'ms',
        },
      ];
      return { figures };
    });
  },
};
