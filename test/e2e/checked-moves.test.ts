import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { SessionPlan } from '../../src/api/status.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { command } from '../lab/scenarios/scenario.js';
import { received } from '../lab/devices.js';
import { activePaths, sessionOf, SteeredStage } from '../support/steered-stage.js';
import { until } from '../support/until.js';

const MBIT = 4;
/** Three times the goal, because the machines that run this share their processors. */
const LONGEST_GAP_MS = 10_000;

describe('a move', () => {
  needs(...networkNeeds);

  test('to a path that loses large packets is taken back, and the next try comes later', async () => {
    const stage = await SteeredStage.start({ alice: 'wifi' });
    const { files } = stage.stage;
    const { tunnel, stream } = await stage.connect(0, 'alice', MBIT);
    await stage.untilClient(
      'alice',
      'on wifi',
      ({ state, current }) => state === 'obeyed' && current === 'wifi',
    );
    const mend = await stage.break({ path: 'lte' }, { largerThan: 1300 });

    const movedAt = Date.now();
    await command(files, 'mptcp primary alice lte');
    const isBack = ({ state, current, reason }: SessionPlan) =>
      state === 'elsewhere' && current === 'wifi' && reason.includes('back to wifi');
    const { reason } = await stage.untilClient('alice', 'back on wifi', isBack);
    const backAt = Date.now();
    await mend();
    await stage.untilClient('alice', 'lte alive', ({ subflows }) =>
      subflows.some(({ path, health }) => path === 'lte' && health !== 'dead'),
    );
    const breakAgain = await stage.break({ path: 'lte' }, { largerThan: 1300 });
    const tries = async () => (await stage.sidecar.switches()).filter(({ to }) => to === 'lte');
    const second = await until('a second try', async () => (await tries())[1], 60_000);
    const again = await stage.untilClient(
      'alice',
      'back once more',
      (alice) => isBack(alice) && alice.facts.some((fact) => fact.includes('failed 2 times')),
    );
    const pause = second.committedAt - backAt;
    await sleep(3000);
    const gap = stream.longestGap(movedAt);
    console.log(
      `back after ${backAt - movedAt} ms; next try after ${pause} ms; longest gap ${gap} ms; ${again.facts.join()}`,
    );
    await breakAgain();

    expect(reason).toContain('lte does not carry: back to wifi');
    expect(await stage.sidecar.log()).toContain('lte does not carry: back to wifi');
    expect(pause).toBeGreaterThan(4500);
    expect(again.facts.join()).toMatch(/lte failed 2 times: not tried for (10|9|8) s more/);
    expect(gap).toBeLessThan(LONGEST_GAP_MS);
    expect(await tunnel.reconnects()).toBe(0);
  });

  test('is not made to a path that the client holds back while it has another', async () => {
    const stage = await SteeredStage.start({ alice: 'lte, wifi' });
    const { namespace, addresses } = stage.host(0);
    await namespace.ip([`mptcp endpoint change ${addresses.lte?.v4 ?? ''} backup`]);
    const { tunnel } = await stage.connect(0, 'alice', MBIT);
    const before = await received(tunnel.pid);
    const statuses = await stage.statuses(5000);
    const after = await received(tunnel.pid);
    const bytes = (path: string) => (after.get(path)?.bytes ?? NaN) - (before.get(path)?.bytes ?? NaN);
    console.log(`wifi ${bytes('wifi')} bytes, lte ${bytes('lte')} bytes`);
    for (const status of statuses) expect(activePaths(sessionOf(status, 'alice'))).toEqual(['wifi']);
    const alice = await stage.client('alice');
    expect(alice).toMatchObject({ state: 'obeyed', current: 'wifi', carriedOn: ['wifi'] });
    expect(alice.reason).toContain('lte is held back by the client');
    expect(bytes('wifi')).toBeGreaterThan(1_000_000);
    expect(bytes('lte')).toBeLessThan(20_000);
  });

  test('is not reported when a backup subflow joins', async () => {
    const stage = await SteeredStage.start({ '*': 'wifi, lte' });
    const watcher = await stage.watch();
    const { namespace, addresses } = stage.host(0);
    const lte = addresses.lte?.v4 ?? '';
    await stage.connect(0, 'alice', MBIT);
    await stage.untilClient(
      'alice',
      'obeyed',
      ({ state, subflows }) => state === 'obeyed' && subflows.length === 2,
    );
    for (let count = 0; count < 3; count++) {
      await namespace.ip(['mptcp endpoint flush']);
      await stage.untilClient('alice', 'one subflow', ({ subflows }) => subflows.length === 1);
      await namespace.ip([`mptcp endpoint add ${lte} dev lte subflow`]);
      await stage.untilClient(
        'alice',
        'two subflows',
        ({ state, subflows }) => state === 'obeyed' && subflows.length === 2,
      );
      await sleep(500);
    }
    expect(watcher.count(/,SUBFLOW,ADDED,lte,/)).toBeGreaterThanOrEqual(4);
    expect(watcher.lines.filter((line) => line.includes(',SWITCH,'))).toEqual([]);
  });
});
