import { describe, expect, test } from 'vitest';

import type { Connection } from '../../../src/model/connection.js';
import type { Priority, Subflow } from '../../../src/model/subflow.js';
import type { Config } from '../../../src/config/config.js';
import { type Session, qualifiedName } from '../../../src/model/session.js';
import { plan, type SessionPlan, type PriorityChange } from '../../../src/steering/plan.js';
import { type Overrides } from '../../../src/steering/rule.js';
import type { ObservedSession, Snapshot } from '../../../src/steering/snapshot.js';
import { standby, STEERING } from '../../support/rules.js';

const LOCAL = { address: '192.0.2.1', port: 1194 };
const WIFI = '192.168.100.2';
const LTE = '192.168.200.2';
const TUNNEL = '10.8.0.2';
const ELSEWHERE = '203.0.113.9';

const NONE: Overrides = new Map();

function configWith(primary: readonly string[], clients: Config['clients'] = []): Config {
  return {
    servers: [{ name: 'a', events: '/run/subflowd/events' }],
    kernel: { backend: 'devmem', layout: 'btf' },
    console: { socket: '/run/subflowd/console.sock', mode: 0o660, overrides: '/var/lib/subflowd/o.json' },
    paths: [
      { name: 'wifi', prefixes: ['192.168.100.0/24', '2001:db8:100::/48'] },
      { name: 'lte', prefixes: ['192.168.200.0/24', '2001:db8:200::/48'] },
      // holds the tunnel's pool: a subflow through the tunnel is on no path all the same
      { name: 'office', prefixes: ['10.0.0.0/8'] },
    ],
    clients,
    default: standby(primary),
    steering: STEERING,
  };
}

/** `192.168.100.2 active`, or `192.168.100.2 active/backup` where the peer wishes otherwise. */
function subflow(text: string, port: number): Subflow {
  const [address = '', wishes = ''] = text.split(' ');
  const [ours, peers = 'active'] = wishes.split('/') as Priority[];
  return { local: LOCAL, remote: { address, port }, ours: ours ?? 'active', peers, mpPrioPending: false };
}

function session(commonName: string, number = 1, virtual: readonly string[] = [TUNNEL]): Session {
  return { server: 'a', pid: 700, commonName, real: { address: WIFI, port: 40_000 + number }, virtual };
}

function connection({ pid, real }: Session, ...subflows: string[]): Connection {
  return {
    pid,
    remote: real,
    local: LOCAL,
    token: real.port,
    subflows: subflows.map((text, index) => subflow(text, 50_000 + index)),
  };
}

function planOne(config: Config, subflows: readonly string[], overrides = NONE): SessionPlan {
  const alice = session('alice');
  const observed = { session: alice, connection: connection(alice, ...subflows) };
  const [only] = plan({ sessions: [observed] }, config, overrides).sessions;
  if (!only) throw new Error('a plan without the session');
  return only;
}

/** `192.168.100.2 active`, in the order to be applied. */
const wishes = ({ wishes }: SessionPlan) =>
  wishes.map(({ name, priority }) => `${name.remote.address} ${priority}`);

describe('one session', () => {
  test('a new client: the wanted path stays active, the other becomes backup', () => {
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

  test('a switch: the new primary becomes active before the old one becomes backup', () => {
    const made = planOne(configWith(['lte']), [`${WIFI} active`, `${LTE} backup`]);
    expect(wishes(made)).toEqual([`${LTE} active`, `${WIFI} backup`]);
    expect(made).toMatchObject({ state: 'pending', primary: 'lte', current: 'wifi' });
  });

  test('all backup: only the wanted one changes', () => {
    const made = planOne(configWith(['wifi']), [`${WIFI} backup`, `${LTE} backup`]);
    expect(wishes(made)).toEqual([`${WIFI} active`]);
    expect(made).not.toHaveProperty('current');
  });

  test('obeyed: nothing to do', () => {
    const made = planOne(configWith(['lte']), [`${WIFI} backup`, `${LTE} active`]);
    expect(made).toMatchObject({
      state: 'obeyed',
      reason: 'lte is primary by [default]',
      primary: 'lte',
      current: 'lte',
      wishes: [],
    });
  });

  test('several subflows on the wanted path are all active', () => {
    const made = planOne(configWith(['lte']), [`${LTE} backup`, `${WIFI} active`, '192.168.200.3 backup']);
    expect(wishes(made)).toEqual([`${LTE} active`, '192.168.200.3 active', `${WIFI} backup`]);
  });

  test('IPv6 subflows are on the path of their prefix', () => {
    const made = planOne(configWith(['lte']), ['2001:db8:100::2 active', '2001:db8:200::2 active']);
    expect(wishes(made)).toEqual(['2001:db8:100::2 backup']);
  });

  test('the second choice, where the client lacks the first', () => {
    const made = planOne(configWith(['lte', 'wifi']), [`${WIFI} active`, `${ELSEWHERE} active`]);
    expect(made).toMatchObject({
      state: 'pending',
      primary: 'wifi',
      missing: ['lte'],
      reason: 'wifi is to be primary by [default]; the client has no subflow on lte',
    });
    expect(wishes(made)).toEqual([`${ELSEWHERE} backup`]);
  });

  test('no wanted path is there: the client keeps what it has, and the state says so', () => {
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

  test('no rule: left as it is', () => {
    const made = planOne(configWith([]), [`${WIFI} backup`, `${LTE} backup`]);
    expect(made).toMatchObject({
      state: 'unruled',
      reason: '[default] asks for no path: left as it is',
      wishes: [],
    });
  });

  test('a connection without subflows', () => {
    expect(planOne(configWith(['lte']), [])).toMatchObject({ state: 'absent', wishes: [], subflows: [] });
  });

  test('plain TCP and no connection at all', () => {
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

  test('a client that asks for backup on the primary path is overridden where the rule says so', () => {
    const config = { ...configWith([]), default: standby(['lte'], 'override') };
    const made = planOne(config, [`${WIFI} backup`, `${LTE} active/backup`]);
    expect(made).toMatchObject({
      state: 'pending',
      heldBack: true,
      reason:
        'lte is to be primary by [default]; held back by the client, which asks for backup on lte (to be overridden)',
      wishes: [{ priority: 'active', overridePeer: true }],
    });
    // its wish on another path is nothing to override
    expect(planOne(config, [`${WIFI} backup/backup`, `${LTE} active`])).toMatchObject({
      state: 'obeyed',
      wishes: [],
    });
  });

  test("held back by the client: said, and this host's wish is set all the same", () => {
    const made = planOne(configWith(['lte']), [`${WIFI} backup`, `${LTE} backup/backup`]);
    expect(wishes(made)).toEqual([`${LTE} active`]);
    expect(made).toMatchObject({
      heldBack: true,
      reason:
        'lte is to be primary by [default]; held back by the client, which asks for backup on lte (peer-backup = respect)',
    });
  });

  test('not held back while one subflow of the path is free', () => {
    const made = planOne(configWith(['lte']), [`${LTE} active/backup`, '192.168.200.3 active']);
    expect(made).toMatchObject({ state: 'obeyed', heldBack: false });
  });
});

describe('a subflow through the tunnel itself', () => {
  test('is backup and on no path, even if a prefix holds it', () => {
    const made = planOne(configWith(['office', 'wifi']), [`${TUNNEL} active`, `${WIFI} active`]);
    expect(wishes(made)).toEqual([`${TUNNEL} backup`]);
    expect(made).toMatchObject({ primary: 'wifi', missing: ['office'] });
    expect(made.subflows[0]).toMatchObject({ throughTunnel: true, wished: 'backup' });
    expect(made.subflows[0]).not.toHaveProperty('path');
  });

  test.each([
    ['absent', ['lte']],
    ['unruled', []],
  ] as const)('is backup when %s, and nothing else changes', (state, primary) => {
    const made = planOne(configWith(primary), [`${TUNNEL} active`, `${WIFI} active`, `${ELSEWHERE} backup`]);
    expect(made.state).toBe(state);
    expect(wishes(made)).toEqual([`${TUNNEL} backup`]);
    expect(made.reason).toContain('1 of its subflows runs through the tunnel itself: backup');
  });

  test('does not leave a connection without an active subflow', () => {
    const made = planOne(configWith([]), [`${TUNNEL} active`, `${WIFI} backup`]);
    expect(wishes(made)).toEqual([`${WIFI} active`, `${TUNNEL} backup`]);
    expect(made.reason).toContain('no other was active, so all others become active');
  });

  test('when there is nothing but the tunnel, says that no subflow is left', () => {
    const made = planOne(configWith(['wifi']), [`${TUNNEL} active`]);
    expect(wishes(made)).toEqual([`${TUNNEL} backup`]);
    expect(made.reason).toContain('no subflow is left to be active');
  });

  test("is known by any session's address of the same server, and of no other", () => {
    const alice = session('alice', 1, []);
    const bob = session('bob', 2, ['10.8.0.3', 'fd00::3']);
    const carol: Session = { ...session('carol', 3, ['10.9.0.4']), server: 'b' };
    const subflows = [`${WIFI} active`, '10.8.0.3 active', 'fd00::3 active', '10.9.0.4 active'];
    const sessions: ObservedSession[] = [
      { session: alice, connection: connection(alice, ...subflows) },
      { session: bob, connection: undefined },
      { session: carol, connection: undefined },
    ];
    const [made] = plan({ sessions }, configWith([]), NONE).sessions;
    expect(made?.subflows.map(({ throughTunnel }) => throughTunnel)).toEqual([false, true, true, false]);
  });
});

describe('an override', () => {
  const alice = qualifiedName(session('alice'));

  test('stands before every section', () => {
    const config = configWith(['lte'], [{ glob: 'alice', ...standby(['lte']) }]);
    const made = planOne(config, [`${WIFI} backup`, `${LTE} active`], new Map([[alice, 'wifi']]));
    expect(made).toMatchObject({
      state: 'pending',
      rule: { section: 'override', primary: ['wifi'] },
      reason: 'wifi is to be primary by override',
    });
    expect(wishes(made)).toEqual([`${WIFI} active`, `${LTE} backup`]);
  });

  test.each(['office', 'gone from the config'])('for a path that is not there: %s', (path) => {
    const made = planOne(configWith(['lte']), [`${WIFI} active`, `${LTE} active`], new Map([[alice, path]]));
    expect(made).toMatchObject({
      state: 'absent',
      reason: `override wants ${path}, where the client has no subflow: keeps what it has`,
      wishes: [],
    });
  });

  test('of one client is nothing to another', () => {
    const overrides = new Map([[qualifiedName({ server: 'a', commonName: 'bob' }), 'wifi']]);
    const made = planOne(configWith(['lte']), [`${WIFI} backup`, `${LTE} active`], overrides);
    expect(made).toMatchObject({ state: 'obeyed', rule: { section: '[default]' } });
  });
});

describe('any snapshot', () => {
  const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  const ROUNDS = 1000;

  /** Mulberry32: numbers from 0 to below 1, the same for the same seed. */
  function generator(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  function world(random: () => number): { snapshot: Snapshot; config: Config; overrides: Overrides } {
    const below = (limit: number) => Math.floor(random() * limit);
    const pick = <T>(from: readonly [T, ...T[]]): T => from[below(from.length)] as T;
    const names = ['alice', 'bob', 'a*', 'carol.lan'] as const;
    const paths = ['wifi', 'lte', 'office', 'undefined one'] as const;
    const some = () => [...new Set(Array.from({ length: below(3) }, () => pick(paths)))];
    const sessions = Array.from({ length: 1 + below(4) }, (_, index): ObservedSession => {
      const virtual = random() < 0.8 ? [`10.8.0.${index + 2}`] : [];
      const one: Session = { ...session(pick(names), index, virtual), server: pick(['a', 'b']) };
      if (random() < 0.1) return { session: one, connection: pick(['plain', undefined]) };
      const addresses = Array.from({ length: below(6) }, () =>
        pick([WIFI, LTE, '192.168.200.3', ELSEWHERE, '10.8.0.2', '10.8.0.3', '2001:db8:100::2', '10.1.1.1']),
      );
      const wish = () => pick(['active', 'backup']);
      return {
        session: one,
        connection: connection(one, ...addresses.map((address) => `${address} ${wish()}/${wish()}`)),
      };
    });
    const clients = ['*', 'a*', '*.lan'].map((glob) => ({
      glob,
      ...standby(some(), pick(['respect', 'override'] as const)),
    }));
    const overrides = new Map(
      sessions.filter(() => random() < 0.2).map(({ session }) => [qualifiedName(session), pick(paths)]),
    );
    return { snapshot: { sessions }, config: configWith(some(), clients.slice(below(4))), overrides };
  }

  function apply(snapshot: Snapshot, { name, priority, overridePeer }: PriorityChange): Snapshot {
    return {
      sessions: snapshot.sessions.map((observed) => {
        const { connection } = observed;
        if (typeof connection !== 'object' || connection.remote.port !== name.connection.port)
          return observed;
        const subflows = connection.subflows.map((subflow) =>
          subflow.remote.port === name.remote.port
            ? { ...subflow, ours: priority, ...(overridePeer && { peers: 'active' as const }) }
            : subflow,
        );
        return { ...observed, connection: { ...connection, subflows } };
      }),
    };
  }

  test(`${ROUNDS} of them, SEED=${SEED}`, { timeout: 60_000 }, () => {
    const random = generator(SEED);
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const { snapshot, config, overrides } = world(random);
      const made = plan(snapshot, config, overrides);
      expect(plan(snapshot, config, overrides)).toEqual(made);
      let now = snapshot;
      for (const [index, planned] of made.sessions.entries()) {
        seen.add(planned.state);
        const through = new Map(
          planned.subflows.map(({ subflow, throughTunnel }) => [subflow.remote.port, throughTunnel]),
        );
        const others = planned.subflows.filter(({ throughTunnel }) => !throughTunnel);
        const tunnelled = others.length < planned.subflows.length;
        for (const wish of planned.wishes) {
          now = apply(now, wish);
          const connection = now.sessions[index]?.connection;
          if (typeof connection !== 'object') throw new Error('a wish for a session without a connection');
          const carrying = connection.subflows.some(
            ({ ours, remote }) => ours === 'active' && through.get(remote.port) === false,
          );
          // at no moment is everything backup
          expect(carrying || others.length === 0, `round ${round}`).toBe(true);
        }
        if (planned.primary === undefined && !tunnelled) expect(planned.wishes).toEqual([]);
        for (const { throughTunnel, wished } of planned.subflows) {
          if (throughTunnel) expect(wished).toBe('backup');
        }
      }
      const after = plan(now, config, overrides);
      expect(after.sessions.flatMap(({ wishes }) => wishes)).toEqual([]);
      for (const [index, { state, primary, current }] of after.sessions.entries()) {
        expect(primary).toBe(made.sessions[index]?.primary);
        expect(state).not.toBe('pending');
        if (primary !== undefined) expect(current).toBe(primary);
      }
    }
    expect([...seen].sort()).toEqual(['absent', 'obeyed', 'pending', 'plain', 'unknown', 'unruled']);
  });
});
