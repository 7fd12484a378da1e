import { beforeEach, describe, expect, test } from 'vitest';
import type { DaemonStatus } from '../../src/api/status.js';
import { Cleanup } from '../lab/cleanup.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths, type ClientHost } from '../lab/network.js';
import { payloadSha256 } from '../lab/payload.js';
import { statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { startWeb, Transfer } from '../lab/web.js';
import { floodOfJoins } from '../support/join-flood.js';
import { until } from '../support/until.js';

const JOINS = 5_000;
const PER_SECOND = 2_000;
const paths = figure6Paths;

let cleanup: Cleanup;

function hostOf({ network }: Pick<Stage, 'network'>, index: number): ClientHost {
  const host = network.clients[index];
  if (!host) throw new RangeError(`the network has no client ${index}`);
  return host;
}

/**
 * Number of established subflows from a host in the server's kernel. In a flood, the kernel answers SYNs with cookies. If it
 * has forgotten a join when the ACK arrives, the join becomes a TCP connection of its own, which OpenVPN closes a minute later
 * (`mptcp_subflow_init_cookie_req` in net/mptcp/subflow.c). Such a connection is not counted.
 */
async function subflowsFrom({ network }: Stage, { addresses }: ClientHost): Promise<number> {
  const ends = Object.values(addresses).map(({ v4 }) => `dst ${v4}`);
  const { stdout } = await network.server.run('ss', [
    '-HtniO',
    'state',
    'established',
    ...ends.join(' or ').split(' '),
  ]);
  return stdout.split('\n').filter((line) => line.includes('tcp-ulp-mptcp')).length;
}

/** Begins to join from a host. `all` resolves when all joins were sent. */
function flood(stage: Stage, host: ClientHost, to?: string) {
  return floodOfJoins(cleanup, stage, host, { joins: JOINS, perSecond: PER_SECOND, to });
}

const isObeyed = (status: DaemonStatus, client: string, primary: string) =>
  status.sessions.some(
    ({ session, state, current, subflows }) =>
      session.commonName === client && state === 'obeyed' && current === primary && subflows.length >= 2,
  );

async function start(clients: number): Promise<{ stage: Stage; sidecar: Sidecar }> {
  const stage = await buildStage(cleanup, { paths, backend: 'netlink', clients });
  await writeRules(stage.files, paths, { alice: 'lte', bob: 'wifi' });
  const sidecar = Sidecar.start(stage.network.server, stage.files.config, `${stage.files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(stage.files, 'the server', ({ servers }) =>
    servers.some(({ pids }) => pids.length === 1),
  );
  return { stage, sidecar };
}

/** @returns the largest number of subflows until `whole` ends, and the longest time that status took, milliseconds. */
async function watch(
  stage: Stage,
  host: ClientHost,
  whole: Promise<unknown>,
): Promise<{ most: number; slowest: number }> {
  const state = { isOver: false };
  const over = whole.finally(() => (state.isOver = true));
  let [most, slowest] = [0, 0];
  while (!state.isOver) {
    most = Math.max(most, await subflowsFrom(stage, host));
    const before = performance.now();
    await statusOf(stage.files);
    slowest = Math.max(slowest, performance.now() - before);
  }
  await over;
  return { most, slowest };
}

describe('a flood of joins', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('to a stranger’s connection is reduced to two subflows, and other clients do not notice', async () => {
    const { stage, sidecar } = await start(3);
    const [alice, bob, stranger] = [hostOf(stage, 0), hostOf(stage, 1), hostOf(stage, 2)];
    const tunnel = await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'alice', (status) => isObeyed(status, 'alice', 'lte'));
    await startWeb(cleanup, stage.network);
    const size = 3_000_000;
    const download = Transfer.download(stage.network, alice.namespace, size, { kbit: 6_000 });

    await stranger.namespace.sysctl({ 'net.mptcp.pm_type': 1 });
    const { all } = await flood(stage, stranger);
    const watched = watch(stage, stranger, all);
    // Another client connects meanwhile with both paths, and follows its rule.
    const other = await stage.connect(1, 'bob');
    await untilStatus(stage.files, 'bob', (status) => isObeyed(status, 'bob', 'wifi'));
    const { most, slowest } = await watched;
    await until('two are left', async () => (await subflowsFrom(stage, stranger)) === 2, 60_000);
    console.log(
      `of ${JOINS} joins the server held ${most} at most; status took ${slowest.toFixed(0)} ms at most`,
    );
    // The largest number depends on the machine.
    expect(most).toBeLessThan(JOINS);

    expect(await subflowsFrom(stage, alice)).toBe(2);
    expect(await subflowsFrom(stage, bob)).toBe(2);
    expect(await download.done).toMatchObject({ bytes: size, sha256: payloadSha256(size) });
    expect(await tunnel.reconnects()).toBe(0);
    expect(await other.reconnects()).toBe(0);
    const wifi = stranger.addresses.wifi?.v4 ?? '';
    const words = new RegExp(`closed \\d+ subflows above the limit: .*of ${wifi}:\\d+, which has no session`);
    const { reports } = await untilStatus(stage.files, 'the report', ({ reports }) =>
      words.test(reports.join('\n')),
    );
    // The reports name the host, and there is not one for each subflow.
    expect(reports.length).toBeLessThan(4);
    const lines = (await sidecar.log()).split('\n').filter((line) => line.includes('excess-subflows'));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(20);
  }, 300_000);

  test('to a client’s own tunnel is reduced to the limit, and the tunnel keeps working', async () => {
    const { stage } = await start(1);
    const alice = hostOf(stage, 0);
    // The joiner, not alice's kernel, decides from the start which subflows she has.
    await alice.namespace.sysctl({ 'net.mptcp.pm_type': 1 });
    const tunnel = await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'alice', ({ sessions }) => sessions.length === 1);
    await startWeb(cleanup, stage.network);
    const size = 3_000_000;
    const download = Transfer.download(stage.network, alice.namespace, size, { kbit: 6_000 });
    const { all } = await flood(stage, alice, 'session');
    const { most } = await watch(stage, alice, all);
    await until('eight are left', async () => (await subflowsFrom(stage, alice)) === 8, 60_000);
    console.log(`of ${JOINS} joins the server held ${most} at most`);
    await untilStatus(
      stage.files,
      'alice’s report',
      (status) =>
        isObeyed(status, 'alice', 'lte') && /closed .* of alice, server lab/.test(status.reports.join()),
    );
    expect(await download.done).toMatchObject({ bytes: size, sha256: payloadSha256(size) });
    expect(await tunnel.reconnects()).toBe(0);
  }, 300_000);

  test('to a connection that OpenVPN has not accepted yet is reduced to two subflows', async () => {
    const { stage } = await start(2);
    const stranger = hostOf(stage, 1);
    await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'alice', (status) => isObeyed(status, 'alice', 'lte'));
    await stranger.namespace.sysctl({ 'net.mptcp.pm_type': 1 });
    const { servers } = await statusOf(stage.files);
    const [pid] = servers.flatMap(({ pids }) => pids);
    if (pid === undefined) throw new Error('the server has no process');
    // OpenVPN accepts no connection while a hook runs.
    process.kill(pid, 'SIGSTOP');
    cleanup.add(() => Promise.resolve(process.kill(pid, 'SIGCONT')));
    const { all } = await flood(stage, stranger, 'unanswered');
    const { most } = await watch(stage, stranger, all);
    console.log(`of ${JOINS} joins the server held ${most} at most`);
    await until('two are left', async () => (await subflowsFrom(stage, stranger)) === 2, 60_000);
    expect(most).toBeLessThan(JOINS);
  }, 300_000);
});
