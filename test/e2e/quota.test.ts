import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { DaemonStatus, SessionPlan } from '../../src/api/status.js';
import { SAVE_PAUSE_MS } from '../../src/control/quota-store.js';
import { Cleanup } from '../lab/cleanup.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { payloadSha256 } from '../lab/payload.js';
import { command, statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { quotasFile, writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { startWeb, Transfer } from '../lab/web.js';
import { until } from '../support/until.js';

const paths = figure6Paths;
const MB = 1_000_000;

let cleanup: Cleanup;
let stage: Stage;

/** Starts the daemon, and waits until it observes the server: before, the kernel lets no client join. */
async function startSidecar(): Promise<Sidecar> {
  const { network, files } = stage;
  const sidecar = Sidecar.start(network.server, files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the server', ({ servers }) => servers.some(({ pids }) => pids.length === 1));
  return sidecar;
}

/** Writes subflowd.ini with one rule for alice, and further sections. */
async function writeRule(lines: readonly string[], ...sections: readonly string[][]): Promise<void> {
  await writeRules(stage.files, paths, {}, { sections: [['[client alice]', ...lines], ...sections] });
}

function aliceOf({ sessions }: DaemonStatus): SessionPlan | undefined {
  return sessions.find(({ session }) => session.commonName === 'alice');
}

const isOn = (status: DaemonStatus, path: string, subflows: number) => {
  const alice = aliceOf(status);
  return alice?.state === 'obeyed' && alice.current === path && alice.subflows.length === subflows;
};

/** What alice has used of her quota on lte, bytes. */
function usedOf(status: DaemonStatus): number {
  return aliceOf(status)?.quotas?.find(({ path }) => path === 'lte')?.used ?? NaN;
}

/** What the kernel has counted on alice's present subflows on lte, bytes. */
function countedOf(status: DaemonStatus): number {
  const on = aliceOf(status)?.subflows.filter(({ path }) => path === 'lte') ?? [];
  return on.reduce((sum, { subflow }) => sum + (subflow.bytesAcked ?? 0) + (subflow.bytesReceived ?? 0), 0);
}

async function download(bytes: number, kbit?: number): Promise<void> {
  const [alice] = stage.network.clients;
  if (!alice) throw new Error('the network has no client');
  const transfer = Transfer.download(
    stage.network,
    alice.namespace,
    bytes,
    kbit === undefined ? {} : { kbit },
  );
  expect(await transfer.done).toMatchObject({ bytes, sha256: payloadSha256(bytes) });
}

/** Ends alice's subflow on a path, as a reset does. Her kernel does not open another one. */
async function endSubflow(path: string): Promise<void> {
  const [alice] = stage.network.clients;
  const address = alice?.addresses[path]?.v4 ?? '';
  await alice?.namespace.run('ss', ['-K', 'src', address]);
}

beforeEach(async () => {
  cleanup = new Cleanup();
  stage = await buildStage(cleanup, { paths, backend: 'netlink' });
  await startWeb(cleanup, stage.network);
  return () => cleanup.run();
});

describe('a quota', () => {
  needs(...networkNeeds);

  test('is counted over reconnects and crashes, makes its path the last choice, and begins again', async () => {
    await writeRule(['primary = lte, wifi', 'quota = lte 6MB/month']);
    let sidecar = await startSidecar();
    let tunnel = await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'lte', (status) => isOn(status, 'lte', 2));
    await download(2 * MB);
    const first = await untilStatus(
      stage.files,
      'all counted',
      (status) => usedOf(status) === countedOf(status),
    );
    expect(usedOf(first)).toBeGreaterThan(2 * MB);
    expect(usedOf(first)).toBeLessThan(3 * MB);

    // A crash: what the kernel counts until the next start counts too, and nothing counts twice.
    await sleep(2 * SAVE_PAUSE_MS);
    await sidecar.stop('SIGKILL');
    await download(MB);
    sidecar = await startSidecar();
    const second = await untilStatus(
      stage.files,
      'all counted',
      (status) => usedOf(status) === countedOf(status),
    );
    expect(usedOf(second)).toBeGreaterThan(3 * MB);
    console.log(`after a crash: used ${usedOf(second)}, the kernel has ${countedOf(second)}`);

    // A reconnect: the new connection's counters begin at 0.
    const before = usedOf(await statusOf(stage.files));
    await tunnel.stop();
    tunnel = await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'lte again', (status) => isOn(status, 'lte', 2));
    const third = await untilStatus(
      stage.files,
      'both counted',
      (status) => countedOf(status) > 0 && usedOf(status) >= before + countedOf(status),
    );
    expect(usedOf(third)).toBeLessThan(before + countedOf(third) + 0.1 * MB);

    // Over the quota, in the middle of a download.
    await download(6 * MB, 6000);
    const over = await untilStatus(stage.files, 'wifi', (status) => isOn(status, 'wifi', 2));
    expect(usedOf(over)).toBeGreaterThan(6 * MB);
    expect(usedOf(over)).toBeLessThan(8 * MB);
    expect(aliceOf(over)?.reason).toContain('lte is over its quota');
    const text = /quota lte: [67][.\d]* MB of 6 MB this month, until 1 \w+; the path is its last choice/;
    expect((await command(stage.files, 'mptcp status')).join('\n')).toMatch(text);
    const explained = (await command(stage.files, 'mptcp explain alice')).join('\n');
    expect(explained).toMatch(/quota: lte: [67][.\d]* MB of 6 MB this month/);
    console.log(explained);
    expect(await tunnel.reconnects()).toBe(0);

    // Still so after a crash, and after a stop.
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await sidecar.stop(signal);
      sidecar = await startSidecar();
      const again = await untilStatus(stage.files, 'wifi', (status) => isOn(status, 'wifi', 2));
      expect(usedOf(again)).toBeGreaterThan(6 * MB);
    }

    // It is the last choice, and not forbidden.
    await endSubflow('wifi');
    await untilStatus(stage.files, 'lte alone', (status) => isOn(status, 'lte', 1));
    await download(MB);

    // The same with all days in the month before: the quota begins again.
    await sidecar.stop();
    const file = quotasFile(stage.files);
    const saved = JSON.parse(await readFile(file, 'utf8')) as {
      accounts: [string, [string, [number, number][]][]][];
    };
    for (const [, accounts] of saved.accounts)
      for (const [, days] of accounts) for (const day of days) day[0] -= 31;
    await writeFile(file, JSON.stringify(saved));
    await startSidecar();
    const next = await untilStatus(stage.files, 'a new month', (status) => usedOf(status) < MB);
    expect(aliceOf(next)?.reason).not.toContain('over its quota');
    expect(await tunnel.reconnects()).toBe(0);
  }, 300_000);
});

describe('rejoin-after', () => {
  needs(...networkNeeds);

  test('brings a client back with both paths, when it is idle, and not in a dry run', async () => {
    const rule = ['primary = wifi, lte', 'rejoin-after = 10s'];
    await writeRule(rule, ['[steering]', 'dry-run = yes']);
    const sidecar = await startSidecar();
    const tunnel = await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'both paths', (status) => aliceOf(status)?.subflows.length === 2);
    const watch = stage.network.server.start(process.execPath, [
      'dist/bundle/main.js',
      'watch',
      '--config',
      stage.files.config,
    ]);
    let watched = '';
    watch.stdout.on('data', (data: Buffer) => (watched += data.toString()));
    cleanup.add(async () => {
      watch.kill('SIGTERM');
      await watch;
    });

    await endSubflow('lte');
    await untilStatus(stage.files, 'wifi alone', (status) => aliceOf(status)?.subflows.length === 1);
    await sleep(25_000);
    expect(await tunnel.reconnects()).toBe(0);

    // Now for real, but alice is busy for a while.
    const busy = download(6 * MB, 2000);
    await untilStatus(stage.files, 'traffic', (status) => (aliceOf(status)?.rate?.down ?? 0) > 1e6);
    await writeRule(rule);
    await untilStatus(stage.files, 'no dry run', ({ dryRun }) => !dryRun);
    await busy;
    expect(await tunnel.reconnects()).toBe(0);
    const since = Date.now();
    await until('a reconnect', async () => (await tunnel.reconnects()) === 1, 60_000);
    console.log(`idle for ${((Date.now() - since) / 1000).toFixed(1)} s, then a reconnect`);
    await untilStatus(stage.files, 'both paths', (status) => isOn(status, 'wifi', 2));
    await until('the event', () => watched.includes('REJOIN'), 10_000);
    expect(watched).toMatch(/^\d+,REJOIN,lte,lab\/alice$/m);
    const log = await sidecar.log();
    const lines = log.split('\n').filter((line) => line.includes('"rejoin"'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      'alice: disconnected while idle, so that it comes back with lte, which it lost',
    );
    expect((await statusOf(stage.files)).counters.rejoins).toBe(1);
    // She has both again, so nothing more happens.
    await sleep(20_000);
    expect(await tunnel.reconnects()).toBe(1);
  }, 300_000);
});
