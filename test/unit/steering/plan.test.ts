import { describe, expect, test } from 'vitest';
import { plan } from '../../../src/steering/plan.js';
import { qualifiedName } from '../../../src/model/session.js';
import type { ObservedSession } from '../../../src/steering/snapshot.js';
import {
  configWith,
  subflow,
  LOCAL,
  ELSEWHERE,
  LTE,
  NONE,
  planOne,
  session,
  WIFI,
  wishesOf,
} from '../../support/plans.js';
import { standby } from '../../support/config.js';

describe('one session', () => {
  test('of a new client keeps the wanted path active and makes the other backup', () => {
    const made = planOne(configWith(['lte', 'wifi']), [`${WIFI} active`, `${LTE} active`]);
    expect(made).toEqual({
      session: session('alice'),
      connection: { pid: 700, remote: { address: WIFI, port: 40_001 }, local: LOCAL, token: 40_001 },
      rule: { section: '[default]', ...standby(['lte', 'wifi']) },
      state: 'pending',
      reason: 'lte is to be primary by [default]',
      primary: 'lte',
      missing: [],
      heldBack: false,
      facts: [],
      carriedOn: [],
      subflows: [
        {
          subflow: subflow(`${WIFI} active`, 50_000),
          path: 'wifi',
          throughTunnel: false,
          wished: 'backup',
          asWished: false,
        },
        {
          subflow: subflow(`${LTE} active`, 50_001),
          path: 'lte',
          throughTunnel: false,
          wished: 'active',
          asWished: true,
        },
      ],
      wishes: [
        {
          name: {
            pid: 700,
            connection: { address: WIFI, port: 40_001 },
            local: LOCAL,
            remote: { address: WIFI, port: 50_000 },
          },
          priority: 'backup',
        },
      ],
    });
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });

  test('that switches makes the new primary active before the old one becomes backup', () => {
    const made = planOne(configWith(['lte']), [`${WIFI} active`, `${LTE} backup`]);
    expect(wishesOf(made)).toEqual([`${LTE} active`, `${WIFI} backup`]);
    expect(made).toMatchObject({ state: 'pending', primary: 'lte', current: 'wifi' });
  });

  test('whose subflows are all backup changes only the wanted one', () => {
    const made = planOne(configWith(['wifi']), [`${WIFI} backup`, `${LTE} backup`]);
    expect(wishesOf(made)).toEqual([`${WIFI} active`]);
    expect(made).not.toHaveProperty('current');
  });

  test('that is as its rule wants it changes nothing', () => {
    const made = planOne(configWith(['lte']), [`${WIFI} backup`, `${LTE} active`]);
    expect(made).toMatchObject({
      state: 'obeyed',
      reason: 'lte is primary by [default]',
      primary: 'lte',
      current: 'lte',
      wishes: [],
    });
  });

  test('keeps all subflows on the wanted path active', () => {
    const made = planOne(configWith(['lte']), [`${LTE} backup`, `${WIFI} active`, '192.168.200.3 backup']);
    expect(wishesOf(made)).toEqual([`${LTE} active`, '192.168.200.3 active', `${WIFI} backup`]);
  });

  test('has its IPv6 subflows on the path of their prefix', () => {
    const made = planOne(configWith(['lte']), ['2001:db8:100::2 active', '2001:db8:200::2 active']);
    expect(wishesOf(made)).toEqual(['2001:db8:100::2 backup']);
  });

  test('gets the second choice if the client lacks the first', () => {
    const made = planOne(configWith(['lte', 'wifi']), [`${WIFI} active`, `${ELSEWHERE} active`]);
    expect(made).toMatchObject({
      state: 'pending',
      primary: 'wifi',
      missing: ['lte'],
      reason: 'wifi is to be primary by [default]; the client has no subflow on lte',
    });
    expect(wishesOf(made)).toEqual([`${ELSEWHERE} backup`]);
  });

  test('without any wanted path keeps what it has, and its state is absent', () => {
    const made = planOne(configWith(['lte', 'office']), [`${WIFI} active`, `${ELSEWHERE} backup`]);
    expect(made).toMatchObject({
      state: 'absent',
      reason: '[default] wants lte, office, where the client has no subflow: keeps what it has',
      missing: ['lte', 'office'],
      current: 'wifi',
      wishes: [],
    });
    expect(made).not.toHaveProperty('primary');
    expect(made.subflows.every(({ wished, asWished }) => wished === undefined && asWished)).toBe(true);
  });

  test('without a rule is left as it is', () => {
    const made = planOne(configWith([]), [`${WIFI} backup`, `${LTE} backup`]);
    expect(made).toMatchObject({
      state: 'unruled',
      reason: '[default] asks for no path: left as it is',
      wishes: [],
    });
  });

  test('whose connection has no subflow left says so', () => {
    expect(planOne(configWith(['lte']), [])).toMatchObject({
      state: 'no-subflow',
      reason: 'no subflow is left: the tunnel stands still until the client reconnects',
      wishes: [],
      subflows: [],
    });
  });

  test('without an MPTCP connection cannot be steered', () => {
    const sessions: ObservedSession[] = [
      { session: session('alice', 1), connection: 'plain' },
      { session: session('bob', 2), connection: undefined },
    ];
    const made = plan({ sessions }, configWith(['lte']), NONE).sessions;
    expect(made.map(({ state, reason }) => [state, reason])).toEqual([
      ['plain', 'plain TCP, not MPTCP: cannot be steered'],
      ['unknown', 'the kernel shows no connection from its address'],
    ]);
    expect(made.flatMap(({ wishes }) => wishes)).toEqual([]);
  });

  test('whose connection fell back to plain TCP names the path and the time', () => {
    const fellBackSince = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    const { real } = session('alice', 1);
    const sessions: ObservedSession[] = [
      { session: session('alice', 1), connection: 'plain', fellBackSince },
      {
        session: { ...session('bob', 2), real: { ...real, address: '203.0.113.9' } },
        connection: 'plain',
        fellBackSince,
      },
    ];
    const made = plan({ sessions }, configWith(['lte']), NONE).sessions;
    expect(made.map(({ state, fellBack }) => [state, fellBack])).toEqual([
      ['plain', { since: fellBackSince, path: 'wifi' }],
      ['plain', { since: fellBackSince }],
    ]);
    expect(made.map(({ reason }) => reason)).toEqual([
      'it fell back to plain TCP: something on the way strips MPTCP (path wifi); seen since 2026-01-02 03:04:05 UTC',
      'it fell back to plain TCP: something on the way strips MPTCP; seen since 2026-01-02 03:04:05 UTC',
    ]);
  });

  test('of a client that asks for backup on the primary path is overridden if the rule says so', () => {
    const config = { ...configWith([]), default: standby(['lte'], 'override') };
    const made = planOne(config, [`${WIFI} backup`, `${LTE} active/backup`]);
    expect(made).toMatchObject({
      state: 'pending',
      heldBack: true,
      reason:
        'lte is to be primary by [default]; held back by the client, which asks for backup on lte (to be overridden)',
      wishes: [{ priority: 'active', overridePeer: true }],
    });
    // the backup that it asks for on another path needs no override
    expect(planOne(config, [`${WIFI} backup/backup`, `${LTE} active`])).toMatchObject({
      state: 'obeyed',
      wishes: [],
    });
  });

  test('does not use a path that the client holds back while it has another one', () => {
    const made = planOne(configWith(['lte']), [`${WIFI} backup`, `${LTE} backup/backup`]);
    expect(wishesOf(made)).toEqual([`${WIFI} active`]);
    expect(made).toMatchObject({ heldBack: false, primary: 'wifi' });
    const reached = planOne(configWith(['lte']), [`${WIFI} active`, `${LTE} backup/backup`]);
    expect(reached).toMatchObject({
      state: 'elsewhere',
      reason: 'wifi is primary by [default]; lte is held back by the client: wifi instead',
    });
    const listed = planOne(configWith(['lte', 'wifi']), [`${WIFI} active`, `${LTE} active/backup`]);
    expect(listed).toMatchObject({ state: 'pending', primary: 'wifi' });
    expect(wishesOf(listed)).toEqual([`${LTE} backup`]);
  });

  test('uses a path that the client holds back if it holds all of them back', () => {
    const made = planOne(configWith(['lte']), [`${WIFI} backup/backup`, `${LTE} backup/backup`]);
    expect(wishesOf(made)).toEqual([`${LTE} active`]);
    expect(made).toMatchObject({
      heldBack: true,
      reason:
        'lte is to be primary by [default]; held back by the client, which asks for backup on lte (peer-backup = respect)',
    });
  });

  test('keeps a subflow on no path active if the client holds back all its paths', () => {
    const made = planOne(configWith(['lte']), [`${LTE} active/backup`, '203.0.113.9 backup']);
    expect(wishesOf(made)).toEqual(['203.0.113.9 active']);
  });

  test('is not held back if one subflow of the path is free', () => {
    const made = planOne(configWith(['lte']), [`${LTE} active/backup`, '192.168.200.3 active']);
    expect(made).toMatchObject({ state: 'obeyed', heldBack: false });
  });
});

describe('an override', () => {
  const alice = qualifiedName(session('alice'));

  test('comes before all sections', () => {
    const config = configWith(['lte'], [{ glob: 'alice', ...standby(['lte']) }]);
    const made = planOne(config, [`${WIFI} backup`, `${LTE} active`], new Map([[alice, 'wifi']]));
    expect(made).toMatchObject({
      state: 'pending',
      rule: { section: 'override', primary: ['wifi'] },
      reason: 'wifi is to be primary by override',
    });
    expect(wishesOf(made)).toEqual([`${WIFI} active`, `${LTE} backup`]);
  });

  test.each(['office', 'gone from the config'])(
    'for a path that the client lacks leaves it as it is: %s',
    (path) => {
      const made = planOne(
        configWith(['lte']),
        [`${WIFI} active`, `${LTE} active`],
        new Map([[alice, path]]),
      );
      expect(made).toMatchObject({
        state: 'absent',
        reason: `override wants ${path}, where the client has no subflow: keeps what it has`,
        wishes: [],
      });
    },
  );

  test('of one client does not affect another', () => {
    const overrides = new Map([[qualifiedName({ server: 'a', commonName: 'bob' }), 'wifi']]);
    const made = planOne(configWith(['lte']), [`${WIFI} backup`, `${LTE} active`], overrides);
    expect(made).toMatchObject({ state: 'obeyed', rule: { section: '[default]' } });
  });
});
