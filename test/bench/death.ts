import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionPlan } from '../../src/api/status.js';
import { withCleanup } from '../lab/cleanup.js';
import { networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { breakPath } from '../lab/path-fault.js';
import { statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { writeRules } from '../lab/sidecar-files.js';
import { Sidecar } from '../lab/sidecar.js';
import { buildStage } from '../lab/stage.js';
import { Stream } from '../lab/stream.js';
import { until } from '../support/until.js';
import type { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { percentile, ratios, spreadOf } from './rounds.js';

const CLIENT = 'alice';
/** The rate of the stream in the tunnel, Mbit/s. */
const MBIT = 4;
/** How long wifi is dead, milliseconds: longer than the kernel alone needs. */
const DEAD_MS = 4000;
const PATIENCE_MS = 60_000;
/** The goal for the median, milliseconds. */
const GOAL_MS = 1000;

export const deathBench: Bench = {
  name: 'death',
  about:
    'real OpenVPN and netlink: the primary path dies without a message, with subflowd and with the kernel alone in turns',
  needs: networkNeeds,
  async run({ quick, output, say }) {
    const times = quick ? 3 : 50;
    return withCleanup(async (cleanup) => {
      const stage = await buildStage(cleanup, { logs: output, backend: 'netlink' });
      const { files, network } = stage;
      const write = (dryRun: 'yes' | 'no') =>
        writeRules(
          files,
          figure6Paths,
          { '*': 'wifi, lte' },
          { sections: [['[steering]', `dry-run = ${dryRun}`]] },
        );
      // A daemon must run while the client connects: without a listener the kernel refuses the second subflow.
      await write('no');
      const first = Sidecar.start(network.server, files.config, path.join(output, 'death.log'));
      try {
        await untilStatus(files, 'the server', ({ servers }) =>
          servers.some(({ pids }) => pids.length === 1),
        );
        await stage.connect(0, CLIENT);
        await untilStatus(files, 'two subflows', ({ sessions }) =>
          sessions.some(({ subflows }) => subflows.length === figure6Paths.length),
        );
      } finally {
        await first.stop();
      }
      const [host] = network.clients;
      if (!host) throw new Error('the network has no client');
      // as subflowd-client does
      await host.namespace.sysctl({ 'net.mptcp.stale_loss_cnt': 1 });
      const stream = await Stream.start(cleanup, network, host.namespace, MBIT);

      /** A new daemon each time, because one remembers which path failed, and waits longer each time. */
      const turn = async (dryRun: 'yes' | 'no') => {
        await write('no');
        const sidecar = Sidecar.start(network.server, files.config, path.join(output, 'death.log'));
        try {
          await untilStatus(files, 'wifi is primary and carries all', ({ sessions }) =>
            sessions.some(isOnWifi),
          );
          await write(dryRun);
          // After the death before, wifi can fail again for a moment. Then the client is not there when wifi dies.
          const since = Date.now();
          do {
            await untilStatus(
              files,
              'wifi carries all',
              ({ sessions, dryRun: isDry }) => sessions.some(isOnWifi) && isDry === (dryRun === 'yes'),
            );
            // Deaths come at any moment between two rounds.
            await sleep(1000 + Math.random() * 1000);
          } while (!(await statusOf(files)).sessions.some(isOnWifi) && Date.now() - since < PATIENCE_MS);
          const known = (await sidecar.switches()).length;
          const diedMs = Date.now();
          const revive = await breakPath(network, { path: 'wifi' });
          await sleep(DEAD_MS);
          const [made] = (await sidecar.switches()).slice(known);
          const silentMs = stream.longestGap(diedMs, diedMs + DEAD_MS);
          await revive();
          await until('the stream', () => Date.now() - (stream.lastMs ?? 0) < 200, PATIENCE_MS);
          return { silentMs, leftMs: made && made.committedAt - diedMs };
        } finally {
          await sidecar.stop();
        }
      };

      const ours: number[] = [];
      const kernels: number[] = [];
      const left: number[] = [];
      for (let at = 0; at < times; at++) {
        const { silentMs, leftMs } = await turn('no');
        if (leftMs === undefined) throw new Error(`subflowd did not leave the dead path in ${DEAD_MS} ms`);
        left.push(leftMs);
        ours.push(silentMs);
        kernels.push((await turn('yes')).silentMs);
        say(
          `${at + 1}: left after ${leftMs} ms; silent ${silentMs} ms, kernel alone ${kernels.at(-1) ?? NaN} ms`,
        );
      }
      const sorted = [...left].sort((a, b) => a - b);
      const where = 'this machine, netlink';
      const figures: Figure[] = [
        {
          name: `death of the primary path under ${MBIT} Mbit/s to the committed switch`,
          against: `50th and 99th percentile of ${times}`,
          where,
          ours: spreadOf(left),
          percentiles: { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
          goal: { is: 'at most', value: GOAL_MS },
          unit: 'ms',
        },
        {
          name: 'longest time without payload after it',
          against: 'the kernel alone (dry-run = yes)',
          where,
          ratio: spreadOf(ratios(ours, kernels)),
          ours: spreadOf(ours),
          theirs: spreadOf(kernels),
          unit: 'ms',
        },
      ];
      return { figures };
    });
  },
};

/** Whether wifi is primary, and alone carries the client's traffic. */
function isOnWifi({ session, state, current, carriedOn, subflows }: SessionPlan): boolean {
  return (
    session.commonName === CLIENT &&
    state === 'obeyed' &&
    current === 'wifi' &&
    carriedOn.join() === 'wifi' &&
    subflows.length === figure6Paths.length &&
    subflows.every(({ health }) => health !== 'dead')
  );
}
