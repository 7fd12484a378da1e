import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, test, type TestContext } from 'vitest';
import type { DaemonStatus } from '../../src/api/status.js';
import { eventGroup, findEventListeners } from '../../src/backend/netlink/event-listeners.js';
import { prefixOf } from '../lab/addresses.js';
import { checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { hostNamespace, type Namespace } from '../lab/namespace.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { payloadSha256 } from '../lab/payload.js';
import { statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { startWeb, Transfer } from '../lab/web.js';
import { until } from '../support/until.js';

const main = path.join(checkout, 'dist/bundle/main.js');
const paths = figure6Paths;

let cleanup: Cleanup;

function startSidecar(namespace: Pick<Namespace, 'start'>, { files }: Pick<Stage, 'files'>): Sidecar {
  const sidecar = Sidecar.start(namespace, files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  return sidecar;
}

/** Waits until a client has this primary, and a subflow on each path. */
async function untilPrimary(
  { files }: Pick<Stage, 'files'>,
  client: string,
  primary: string,
): Promise<DaemonStatus> {
  return untilStatus(files, `${client} on ${primary}`, ({ sessions }) =>
    sessions.some(
      ({ session, state, current, subflows }) =>
        session.commonName === client && state === 'obeyed' && current === primary && subflows.length === 2,
    ),
  );
}

function only({ sessions }: DaemonStatus) {
  const [session, ...others] = sessions;
  if (!session || others.length > 0) throw new Error(`not one session but ${sessions.length}`);
  return session;
}

/** Path and flags of the server's subflows, by ss. The flag b means that this host asks for backup. */
async function flagsBySs({ network }: Stage): Promise<string[]> {
  const { stdout } = await network.server.run('ss', ['-HtniO', 'state', 'established', 'sport', ':1194']);
  return stdout
    .split('\n')
    .map(
      (line) => `${/ 192\.168\.(100|200)\.2:/.exec(line)?.[1] ?? ''} ${/ flags:(\w+)/.exec(line)?.[1] ?? ''}`,
    )
    .sort();
}

/**
 * Waits until no other program on this host listens to the path manager, for example a test of another checkout: the kernel would
 * accept the joins that this test expects it to refuse. Skips the test if one goes on.
 */
async function untilNobodyListens(context: TestContext): Promise<void> {
  const listeners = () => findEventListeners(eventGroup()).map(({ pid, program }) => `${pid} (${program})`);
  await until('nobody listens', () => listeners().length === 0, 60_000).catch(() => {
    context.skip(`other programs on this host listen to the path manager: ${listeners().join(', ')}`);
  });
}

describe('connections under the userspace path manager', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('keep their priorities and data when subflowd stops, is killed, and starts again', async () => {
    const stage = await buildStage(cleanup, { paths, backend: 'netlink' });
    const host = stage.network.clients[0]?.namespace;
    if (!host) throw new Error('no client');
    await writeRules(stage.files, paths, { alice: 'lte' });
    const first = startSidecar(stage.network.server, stage);
    await untilStatus(stage.files, 'an answer', () => true);
    const tunnel = await stage.connect(0, 'alice');
    await untilPrimary(stage, 'alice', 'lte');
    await startWeb(cleanup, stage.network);
    const size = 4_000_000;
    const download = Transfer.download(stage.network, host, size, { kbit: 6_000 });
    const flags = await flagsBySs(stage);

    await first.stop();
    expect(await flagsBySs(stage)).toEqual(flags);
    const second = startSidecar(stage.network.server, stage);
    await untilPrimary(stage, 'alice', 'lte');
    await second.stop('SIGKILL');
    expect(await flagsBySs(stage)).toEqual(flags);
    const third = startSidecar(stage.network.server, stage);
    const status = await untilPrimary(stage, 'alice', 'lte');
    expect(only(status).connection).not.toHaveProperty('caveat');
    expect(await download.done).toMatchObject({ bytes: size, sha256: payloadSha256(size) });
    expect(await tunnel.reconnects()).toBe(0);
    // The third daemon switched nothing, because the priorities were right.
    expect(await third.switches()).toHaveLength(1);
  });

  test('that began while no program on the host listened have one subflow, and status reports why', async (context) => {
    const stage = await buildStage(cleanup, { paths, backend: 'netlink' });
    await writeRules(stage.files, paths, { alice: 'lte' });
    await untilNobodyListens(context);
    const tunnel = await stage.connect(0, 'alice');
    startSidecar(stage.network.server, stage);
    const status = await untilStatus(stage.files, 'alice', ({ sessions }) => sessions[0]?.state === 'absent');
    expect(only(status).subflows).toHaveLength(1);
    expect(only(status).reason).toContain(
      'the kernel refuses further subflows while no program on this host listens',
    );
    await tunnel.stop();
    await stage.connect(0, 'alice');
    await untilPrimary(stage, 'alice', 'lte');
  });

  test('that began under the kernel’s own path manager are reported and not changed, and follow the rule after they reconnect', async () => {
    const stage = await buildStage(cleanup, { paths, backend: 'netlink' });
    await stage.network.server.sysctl({ 'net.mptcp.pm_type': 0 });
    await writeRules(stage.files, paths, { alice: 'lte' });
    const tunnel = await stage.connect(0, 'alice');
    await stage.network.server.sysctl({ 'net.mptcp.pm_type': 1 });
    startSidecar(stage.network.server, stage);
    const status = await untilStatus(stage.files, 'the problem', ({ problems }) => problems.length > 0);
    expect(only(status).subflows.map(({ subflow }) => subflow.ours)).toEqual(['active', 'active']);
    expect(only(status).reason).toContain("it connected under the kernel's own path manager");
    expect(status.problems.join()).toMatch(/alice: .* cannot be made backup: .*let it reconnect/);
    await tunnel.stop();
    await stage.connect(0, 'alice');
    expect((await untilPrimary(stage, 'alice', 'lte')).problems).toEqual([]);
  });

  test('in several network namespaces are steered by one daemon outside of them', async () => {
    const stages = [
      await buildStage(cleanup, { paths, backend: 'netlink' }),
      await buildStage(cleanup, { paths, backend: 'netlink' }),
    ] as const;
    const [{ files }] = stages;
    const lines = [
      ...stages.flatMap(({ files: own }, index) => [
        `[openvpn lab${index}]`,
        `management = ${own.management}`,
        `password-file = ${own.passwordFile}`,
        `events = ${own.events}`,
      ]),
      ...[
        '[console]',
        `socket = ${files.console}`,
        `overrides = ${path.dirname(files.config)}/overrides.json`,
      ],
      ...['[kernel]', 'backend = netlink'],
      ...paths.flatMap((one) => [`[path ${one.name}]`, `prefix = ${prefixOf(one).v4}`]),
      ...['[client alice]', 'primary = lte', '[client bob]', 'primary = wifi', ''],
    ];
    await writeFile(files.config, lines.join('\n'));
    startSidecar(hostNamespace, { files });
    await untilStatus(files, 'both servers', ({ servers }) => servers.every(({ pids }) => pids.length === 1));
    await Promise.all([stages[0].connect(0, 'alice'), stages[1].connect(0, 'bob')]);
    await Promise.all([untilPrimary({ files }, 'alice', 'lte'), untilPrimary({ files }, 'bob', 'wifi')]);
    const { problems } = await statusOf(files);
    expect(problems).toEqual([]);
    const flags = await Promise.all(stages.map(flagsBySs));
    expect(flags[0]).toEqual([expect.stringMatching(/100 \w*b/), expect.not.stringMatching(/b/)]);
    expect(flags[1]).toEqual([expect.not.stringMatching(/b/), expect.stringMatching(/200 \w*b/)]);
  });

  test.each([
    ['net_admin', 1, /netlink: join: Operation not permitted\nto fix it: .*CAP_NET_ADMIN/],
    ['sys_admin', 0, /process \d+: netlink: setns.*to fix it: .*CAP_SYS_ADMIN/],
  ])('without CAP_%s subflowd reports what it lacks', async (capability, ends, words) => {
    const stage = await buildStage(cleanup, { paths, backend: 'netlink' });
    await writeRules(stage.files, paths, { alice: 'lte' });
    const child = execa(
      'setpriv',
      [
        ...[`--bounding-set=-${capability}`, `--inh-caps=-${capability}`],
        ...[process.execPath, main, 'run', '--single', '--config', stage.files.config],
      ],
      { all: true, reject: false, timeout: 60_000 },
    );
    if (ends === 0) {
      await untilStatus(stage.files, 'an answer', () => true);
      await stage.connect(0, 'alice');
      await untilStatus(stage.files, 'the problem', ({ problems }) =>
        problems.some((one) => words.test(one)),
      );
      child.kill();
    }
    const { exitCode, all } = await child;
    expect(exitCode).toBe(ends);
    expect(all).toMatch(words);
  });
});
