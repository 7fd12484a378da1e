import { copyFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, test } from 'vitest';
import { eventGroup, findEventListeners } from '../../src/backend/netlink/event-listeners.js';
import type { Check } from '../../src/model/check.js';
import { checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { Namespace } from '../lab/namespace.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths, type ClientHost } from '../lab/network.js';
import { untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { until } from '../support/until.js';

const main = path.join(checkout, 'dist/bundle/main.js');
const paths = figure6Paths;

let cleanup: Cleanup;

function hostOf({ network }: Stage): ClientHost {
  const [host] = network.clients;
  if (!host) throw new Error('no client');
  return host;
}

async function build(): Promise<Stage> {
  const stage = await buildStage(cleanup, { paths, backend: 'netlink' });
  await writeRules(stage.files, paths, { alice: 'lte' });
  return stage;
}

/** Starts subflowd beside the server, and waits until it knows the server. */
async function startSidecar({ network, files }: Stage): Promise<Sidecar> {
  const sidecar = Sidecar.start(network.server, files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the server', ({ servers }) => servers.some(({ pids }) => pids.length === 1));
  return sidecar;
}

/** What doctor says, beside the server, that is not `ok`; or everything that has these words. */
async function doctor({ network, files }: Stage, words?: RegExp): Promise<string[]> {
  const args = [main, 'doctor', '--json', '-c', files.config];
  const { stdout } = await execa('ip', ['netns', 'exec', network.server.name, process.execPath, ...args], {
    reject: false,
    timeout: 60_000,
  });
  return (JSON.parse(stdout) as Check[])
    .filter(({ verdict, found }) => (words ? words.test(found) : verdict !== 'ok'))
    .map(({ name, verdict, found, remedy = '' }) => `${verdict} ${name}: ${found} | ${remedy}`);
}

/** Adds a rule for what a host sends. @returns a function that removes it. */
async function filter({ namespace }: ClientHost, rule: string): Promise<() => Promise<void>> {
  const commands = [
    'add table inet lab',
    'add chain inet lab out { type filter hook output priority mangle; }',
    `add rule inet lab out ${rule}`,
  ];
  await namespace.run('nft', [commands.join('; ')]);
  return async () => {
    await namespace.run('nft', ['delete table inet lab']);
  };
}

/** Starts a listener to MPTCP events in a namespace, as a program of another name than ip. @returns its PID. */
async function listen(namespace: Namespace, name: string): Promise<number> {
  const { stdout: ip } = await execa('sh', ['-c', 'readlink -f "$(command -v ip)"']);
  const program = path.join('/run', `${namespace.name}-${name}`);
  await copyFile(ip, program);
  const child = namespace.start(program, ['mptcp', 'monitor']);
  cleanup.add(async () => {
    child.kill('SIGKILL');
    await child;
    await rm(program);
  });
  await until('it listens', () => findEventListeners(eventGroup()).some(({ pid }) => pid === child.pid));
  return child.pid ?? 0;
}

describe('a connection that is plain TCP', () => {
  needs(...networkNeeds, 'nft');

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('because it fell back says so, since when, and on which path, and doctor does not blame the client', async () => {
    const stage = await build();
    await startSidecar(stage);
    const host = hostOf(stage);
    await host.namespace.run('ip', ['mptcp', 'limits', 'set', 'subflows', '0']);
    await host.namespace.run('ip', ['mptcp', 'endpoint', 'flush']);
    // The kernel falls back if options are missing before the first data was acknowledged with them.
    const before = Date.now();
    await filter(host, 'tcp dport 1194 tcp flags & (syn|ack|psh) == ack|psh reset tcp option mptcp');
    await stage.connect(0, 'alice');
    const status = await untilStatus(stage.files, 'the fallback', ({ sessions }) =>
      sessions.some(({ fellBack }) => fellBack !== undefined),
    );
    const [session] = status.sessions;
    expect(session).toMatchObject({ state: 'plain', fellBack: { path: 'wifi' } });
    expect(session?.fellBack?.since).toBeGreaterThan(before);
    expect(session?.reason).toMatch(
      /^it fell back to plain TCP: something on the way strips MPTCP \(path wifi\); seen since 20.* UTC$/,
    );
    const lines = await doctor(stage, /plain TCP|fell back/);
    expect(lines.filter((line) => line.includes('client alice'))).toEqual([
      expect.stringMatching(/^note client alice: it fell back .*\| find what changes its packets/),
    ]);
  });

  test('because its kernel remembers a network that drops MPTCP has it again after the remedy of doctor', async () => {
    const stage = await build();
    await startSidecar(stage);
    const host = hostOf(stage);
    const stop = await filter(
      host,
      'tcp dport 1194 tcp flags & (syn|ack) == syn tcp option mptcp exists drop',
    );
    await (await stage.connect(0, 'alice')).stop();
    await stop();
    // nothing drops MPTCP any more, and the client still does not use it
    const second = await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'plain TCP', ({ sessions }) => sessions[0]?.state === 'plain');
    const [line] = await doctor(stage, /it uses plain TCP/);
    expect(line).toContain('sysctl -w net.mptcp.blackhole_timeout=0 there ends that, then reconnect it');
    await second.stop();
    await host.namespace.sysctl({ 'net.mptcp.blackhole_timeout': 0 });
    await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'MPTCP', ({ sessions }) => sessions[0]?.subflows.length === 2);
  }, 120_000);
});

describe('what the host of the server does', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('is named by doctor instead of the client: settings of the kernel, and another path manager', async () => {
    const stage = await build();
    await startSidecar(stage);
    await stage.network.server.sysctl({
      'net.mptcp.allow_join_initial_addr_port': 0,
      'net.mptcp.stale_loss_cnt': 0,
    });
    const pid = await listen(stage.network.server, 'manager');
    await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'alice', ({ sessions }) => sessions[0]?.subflows.length === 1);
    const lines = (await doctor(stage)).join('\n');
    expect(lines).toMatch(
      /^bad server lab, process \d+: net\.mptcp\.allow_join_initial_addr_port = 0 in its network namespace: .*forbids clients to join.* \| nsenter --target \d+ --net sysctl -w net\.mptcp\.allow_join_initial_addr_port=1;/m,
    );
    expect(lines).toMatch(/^note server lab, process \d+: net\.mptcp\.stale_loss_cnt = 0 .*silent \| .*=1$/m);
    expect(lines).toMatch(
      new RegExp(
        `^note path manager, process ${pid}: process ${pid} \\(/run/.*-manager\\) listens .* of server lab`,
        'm',
      ),
    );
    expect(lines).toMatch(/^note client alice: it has only one subflow \| first fix what this host does/m);
    expect(lines).not.toContain('at the client');
  });

  test('does not depend on subflowd while any program on the host listens, also in another namespace', async () => {
    const other = await Namespace.create('other');
    cleanup.add(() => other.remove());
    const stage = await build();
    const pid = await listen(other, 'other');
    await stage.connect(0, 'alice');
    await startSidecar(stage);
    const { sessions } = await untilStatus(stage.files, 'both subflows', ({ sessions }) =>
      sessions.some(({ subflows }) => subflows.length === 2),
    );
    expect(sessions[0]?.connection).not.toHaveProperty('caveat');
    const [line] = await doctor(stage, new RegExp(`process ${pid} `));
    expect(line).toMatch(/^ok path manager, .*the kernel accepts further subflows on the whole host/);
  });
});
