import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { needs, networkNeeds } from '../lab/needs.js';
import { openvpnPort } from '../lab/openvpn.js';
import { command, statusOf } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { activePaths, sessionOf, SteeredStage } from '../support/steered-stage.js';

const MBIT = 4;
const BEFORE = /it connected before subflowd started/;

describe('a client', () => {
  needs(...networkNeeds);

  test('whose last subflow was reset has a state of its own, and a problem', async () => {
    const stage = await SteeredStage.start({ alice: 'wifi, lte' });
    await stage.connect(0, 'alice', MBIT);
    await stage.untilClient('alice', 'obeyed', ({ state }) => state === 'obeyed');
    // as two NATs do that have forgotten the connection
    const { namespace } = stage.host(0);
    await namespace.run('ss', [
      '-K',
      'dst',
      stage.stage.network.serverAddress.v4,
      'dport',
      `:${openvpnPort}`,
    ]);
    const alice = await stage.untilClient('alice', 'no subflow', ({ state }) => state === 'no-subflow');
    const { problems } = await statusOf(stage.stage.files);
    expect(alice.subflows).toEqual([]);
    expect(alice.reason).toContain('no subflow is left');
    expect(problems).toContainEqual(
      expect.stringMatching(/^alice: no subflow is left, so its tunnel stands still/),
    );
    expect(await stage.sidecar.log()).toMatch(/"level":40.*alice: no subflow is left/);
  });

  test('that had two subflows is not said to have connected before subflowd', async () => {
    const stage = await SteeredStage.start({ alice: 'wifi, lte' });
    const { namespace, addresses } = stage.host(0);
    const { tunnel } = await stage.connect(0, 'alice', MBIT);
    await stage.sidecar.stop();
    const again = Sidecar.start(
      stage.stage.network.server,
      stage.stage.files.config,
      `${stage.stage.files.config}.log2`,
    );
    stage.cleanup.add(() => again.stop());
    await stage.untilClient('alice', 'two subflows', ({ subflows }) => subflows.length === 2);
    await namespace.ip(['mptcp endpoint flush']);
    const lone = await stage.untilClient('alice', 'one subflow', ({ subflows }) => subflows.length === 1);
    expect(lone.reason).not.toMatch(BEFORE);
    for (const status of await stage.statuses(1000))
      expect(sessionOf(status, 'alice').reason).not.toMatch(BEFORE);
    await namespace.ip([`mptcp endpoint add ${addresses.lte?.v4 ?? ''} dev lte subflow`]);
    await stage.untilClient('alice', 'two subflows', ({ subflows }) => subflows.length === 2);
    expect(await tunnel.reconnects()).toBe(0);
  });

  test.for([
    ['smallest-delay', ['mode = smallest-delay']],
    ['priority-based', ['mode = priority-based', 'primary = wifi, lte']],
  ] as const)('under %s does not stay on a path that loses many packets', async ([mode, rule]) => {
    const sections = [
      ['[client alice]', ...rule],
      ['[steering]', 'dwell = 2s'],
    ];
    const stage = await SteeredStage.start({}, { sections });
    const { tunnel } = await stage.connect(0, 'alice', MBIT);
    const settled = await stage.untilClient(
      'alice',
      'one path',
      (alice) => alice.state === 'obeyed' && alice.current !== undefined,
    );
    await sleep(2000);
    const lossy = settled.current ?? '';
    const other = lossy === 'wifi' ? 'lte' : 'wifi';
    const beganAt = Date.now();
    await stage.break({ path: lossy }, { loss: 0.15 });
    await stage.untilClient('alice', `only on ${other}`, (alice) => activePaths(alice).join() === other);
    const leftAfter = Date.now() - beganAt;
    const statuses = await stage.statuses(15_000);
    const onLossy = statuses.filter((status) => activePaths(sessionOf(status, 'alice')).includes(lossy));
    console.log(
      `${mode}: left after ${leftAfter} ms; ${onLossy.length} of ${statuses.length} statuses show it on ${lossy}`,
    );
    // It tries the path again now and then, because a path that carries nothing shows nothing.
    expect(onLossy.length / statuses.length).toBeLessThan(0.5);
    expect(await tunnel.reconnects()).toBe(0);
  });

  test('of balance is not moved to an access point that died', async () => {
    const names = ['alice', 'bob', 'carol'];
    const stage = await SteeredStage.start(
      {},
      {
        sections: [
          ['[default]', 'mode = balance'],
          ['[steering]', 'dwell = 2s'],
        ],
      },
      { clients: 3 },
    );
    const clients = [];
    for (const [index, name] of names.entries()) clients.push(await stage.connect(index, name, MBIT));
    const all = () => statusOf(stage.stage.files);
    await stage.untilClient('alice', 'all are steered', (_alice, { sessions }) =>
      sessions.every(({ current }) => current !== undefined),
    );
    await sleep(5000);
    const before = await all();
    const dying = sessionOf(before, 'alice').current ?? '';
    const other = dying === 'wifi' ? 'lte' : 'wifi';
    const spared = before.sessions
      .filter(({ current }) => current === other)
      .map(({ session }) => session.commonName);
    const diedAt = Date.now();
    await stage.break({ path: dying });
    const statuses = await stage.statuses(30_000);
    const switches = (await stage.sidecar.switches()).filter(({ committedAt }) => committedAt >= diedAt);
    const gaps = clients.map(({ stream }) => stream.longestGap(diedAt));
    console.log(
      `${dying} died; spared: ${spared.join()}; ${switches.map(({ commonName, from, to, committedAt }) => `${commonName} ${from} ${to} ${committedAt - diedAt} ms`).join('; ')}; gaps ${gaps.join()} ms`,
    );
    expect(switches.filter(({ to }) => to === dying)).toEqual([]);
    for (const name of spared)
      for (const status of statuses) expect(activePaths(sessionOf(status, name)), name).toEqual([other]);
    for (const name of names) expect(activePaths(sessionOf(await all(), name)), name).toEqual([other]);
    expect(switches.length).toBe(names.length - spared.length);
    for (const gap of gaps) expect(gap).toBeLessThan(2000);
    await command(stage.stage.files, 'mptcp paths');
    expect((await all()).paths.find(({ name }) => name === dying)?.health).toBe('dead');
  });
});
