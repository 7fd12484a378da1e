import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { Cleanup } from '../lab/cleanup.js';
import { readCounters, rise } from '../lab/counters.js';
import { HelperProcess } from '../lab/helper-process.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { command, reconnects, statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { sessionOf } from '../support/steered-stage.js';
import { until } from '../support/until.js';

const paths = figure6Paths;

let cleanup: Cleanup;

const logOf = ({ files }: Stage) => `${files.config}.log`;

async function startHelper({ network, files }: Stage): Promise<HelperProcess> {
  const helper = await HelperProcess.start(
    network.server,
    `${files.config}.helper`,
    `${files.config}.helper-log`,
  );
  cleanup.add(async () => {
    helper.kill('SIGCONT');
    await helper.stop();
  });
  return helper;
}

async function startDaemon(stage: Stage, helper: HelperProcess): Promise<Sidecar> {
  const sidecar = Sidecar.start(stage.network.server, stage.files.config, logOf(stage), { helper });
  cleanup.add(() => sidecar.stop());
  await untilStatus(stage.files, 'the server', ({ servers }) =>
    servers.some(({ pids }) => pids.length === 1),
  );
  return sidecar;
}

/** Waits until a client's rule is obeyed with a subflow on each path. */
async function untilObeyed({ files }: Stage, client: string, primary: string) {
  const status = await untilStatus(files, `${client} is on ${primary}`, ({ sessions }) =>
    sessions.some(
      ({ session, state, current, subflows }) =>
        session.commonName === client && state === 'obeyed' && current === primary && subflows.length === 2,
    ),
  );
  return sessionOf(status, client);
}

/** What the kernel shows of the subflows of all clients, without what changes by itself. */
async function subflowsInKernel({ network }: Stage): Promise<string[]> {
  const { stdout } = await network.server.run('ss', ['-HtnO', 'state', 'established', 'sport', '=', '1194']);
  return stdout
    .split('\n')
    .map((line) => line.split(/\s+/).slice(2, 4).join(' '))
    .sort();
}

const sentPriorities = async ({ network }: Stage, since?: Awaited<ReturnType<typeof readCounters>>) => {
  const now = await readCounters(network.server);
  return { now, sent: since === undefined ? 0 : rise('MPTcpExtMPPrioTx', since, now) };
};

describe('with real processes', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  async function start() {
    const stage = await buildStage(cleanup, { paths, backend: 'netlink', clients: 2 });
    await writeRules(stage.files, paths, { alice: 'lte', bob: 'wifi' });
    const helper = await startHelper(stage);
    const sidecar = await startDaemon(stage, helper);
    const alice = await stage.connect(0, 'alice');
    await untilObeyed(stage, 'alice', 'lte');
    return { stage, helper, sidecar, alice };
  }

  test('a helper that is killed leaves every client as it is; the daemon reports it and goes on with the next one', async () => {
    const { stage, helper, alice } = await start();
    const subflows = await subflowsInKernel(stage);
    const { now: before } = await sentPriorities(stage);
    await helper.stop('SIGKILL');
    const lost = await untilStatus(stage.files, 'the problem', ({ problems }) =>
      problems.some((text) => text.includes("subflowd's helper is not connected")),
    );
    expect(lost.sessions).toHaveLength(1);
    await startHelper(stage);
    await untilStatus(stage.files, 'no problem', ({ problems }) => problems.length === 0);
    await untilObeyed(stage, 'alice', 'lte');
    expect(await subflowsInKernel(stage)).toEqual(subflows);
    expect((await sentPriorities(stage, before)).sent).toBe(0);
    await command(stage.files, 'mptcp primary alice wifi');
    await untilObeyed(stage, 'alice', 'wifi');
    expect(await reconnects([alice])).toBe(0);
  });

  test('without a daemon the helper changes nothing, and clients still join with all their paths', async () => {
    const { stage, helper, sidecar, alice } = await start();
    const { now: before } = await sentPriorities(stage);
    await sidecar.stop('SIGKILL');
    await writeRules(stage.files, paths, { alice: 'wifi', bob: 'lte' });
    const bob = await stage.connect(1, 'bob');
    await until('bob has two subflows', async () => (await subflowsInKernel(stage)).length === 4);
    // longer than any pause of the daemon
    await sleep(2_000);
    expect((await sentPriorities(stage, before)).sent).toBe(0);
    await startDaemon(stage, helper);
    await untilObeyed(stage, 'alice', 'wifi');
    await untilObeyed(stage, 'bob', 'lte');
    expect(await reconnects([alice, bob])).toBe(0);
  });

  test('while the helper is stopped, the console answers all the same', async () => {
    const { stage, helper, alice } = await start();
    helper.kill('SIGSTOP');
    let slowest = 0;
    const end = performance.now() + 8_000;
    for (let round = 0; performance.now() < end; round++) {
      const startMs = performance.now();
      await (round % 5 === 0
        ? command(stage.files, 'mptcp primary alice wifi')
        : round % 2 === 0
          ? statusOf(stage.files)
          : command(stage.files, 'mptcp explain alice'));
      slowest = Math.max(slowest, performance.now() - startMs);
      await sleep(50);
    }
    console.log(`while the helper was stopped, the console took ${slowest.toFixed(0)} ms at most`);
    expect(slowest).toBeLessThan(3_000);
    expect(await readFile(logOf(stage), 'utf8')).toContain('it has not answered for 5 s');
    helper.kill('SIGCONT');
    await untilStatus(stage.files, 'no problem', ({ problems }) => problems.length === 0);
    await untilObeyed(stage, 'alice', 'wifi');
    expect(await reconnects([alice])).toBe(0);
  });
});
