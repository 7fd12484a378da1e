import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../../src/api/counters.js';
import { EventStream, type DaemonEvent, type EventOf } from '../../../src/api/events.js';
import type { Subflow } from '../../../src/model/subflow.js';
import { plan, type Plan } from '../../../src/steering/plan.js';
import type { ObservedSession } from '../../../src/steering/snapshot.js';
import { LTE, WIFI } from '../../support/alice.js';
import { configOf } from '../../support/config.js';
import { client, switchOf } from '../console/steered.js';

let events: EventStream;
let counters: Counters;
let published: DaemonEvent[];

beforeEach(() => {
  events = new EventStream();
  counters = new Counters(events, 5);
  published = [];
  events.subscribe((event) => published.push(event));
});

/** The plan of a round with these sessions. */
function round(...sessions: ObservedSession[]): Plan {
  return plan({ sessions }, configOf(['wifi']), new Map());
}

/** The same session, with a change of the subflow whose client port this is. */
function withSubflow(session: ObservedSession, port: number, change: Partial<Subflow>): ObservedSession {
  const { connection } = session;
  if (connection === undefined || connection === 'plain')
    throw new TypeError('the session has no connection');
  const subflows = connection.subflows.map((subflow) =>
    subflow.remote.port === port ? { ...subflow, ...change } : subflow,
  );
  return { ...session, connection: { ...connection, subflows } };
}

/** `CHANGE PATH PORT OURS PEERS` of each published event about a subflow. */
function subflowEvents(): readonly string[] {
  return published
    .filter((event): event is EventOf<'subflow'> => event.kind === 'subflow')
    .map(
      ({ change, path, remote, ours, peers }) => `${change} ${path ?? ''} ${remote.port} ${ours} ${peers}`,
    );
}

describe('events of subflows', () => {
  it('are published when a subflow is added, changed or removed, and not otherwise', () => {
    const alice = client('alice', { remotes: [WIFI] });
    counters.addRound(round(alice));
    counters.addRound(round(alice));
    expect(subflowEvents()).toEqual([`added wifi ${WIFI.port} active active`]);
    published = [];
    const both = client('alice');
    counters.addRound(round(both));
    counters.addRound(round(withSubflow(both, LTE.port, { ours: 'backup' })));
    counters.addRound(round(alice));
    expect(subflowEvents()).toEqual([
      `added lte ${LTE.port} active active`,
      `changed lte ${LTE.port} backup active`,
      `removed lte ${LTE.port} backup active`,
    ]);
    published = [];
    counters.addRound(round());
    expect(subflowEvents()).toEqual([`removed wifi ${WIFI.port} active active`]);
  });

  it('are counted, and so are sessions and rounds', () => {
    counters.addRound(round(client('alice'), client('bob', { remotes: [LTE] })));
    counters.addRound(round(client('alice')));
    expect(counters.values()).toMatchObject({
      since: 5,
      rounds: 2,
      sessions: 2,
      subflows: { added: 3, removed: 1, closedAboveLimit: 0 },
    });
  });
});

describe('the traffic of a path', () => {
  it('is counted from the first round on, and completely for a subflow that is added later', () => {
    const before = withSubflow(client('alice', { remotes: [WIFI] }), WIFI.port, {
      bytesAcked: 1_000,
      bytesReceived: 100,
    });
    counters.addRound(round(before));
    expect(counters.values().paths).toEqual({});
    counters.addRound(round(withSubflow(before, WIFI.port, { bytesAcked: 1_500, bytesReceived: 101 })));
    expect(counters.values().paths).toEqual({ wifi: { down: 500, up: 1 } });
    const both = withSubflow(client('alice'), WIFI.port, { bytesAcked: 1_600, bytesReceived: 101 });
    counters.addRound(round(withSubflow(both, LTE.port, { bytesAcked: 70, bytesReceived: 7 })));
    expect(counters.values().paths).toEqual({ wifi: { down: 600, up: 1 }, lte: { down: 70, up: 7 } });
  });

  it('never decreases, even if a counter of the kernel does', () => {
    const one = client('alice', { remotes: [WIFI] });
    counters.addRound(round(withSubflow(one, WIFI.port, { bytesAcked: 1_000 })));
    counters.addRound(round(withSubflow(one, WIFI.port, { bytesAcked: 10 })));
    counters.addRound(round(withSubflow(one, WIFI.port, { bytesAcked: 30 })));
    expect(counters.values().paths).toEqual({ wifi: { down: 20, up: 0 } });
  });
});

it.each([
  [switchOf(), 'switches'],
  [
    { kind: 'rejoin', server: 'lab', commonName: 'alice', paths: ['lte'], lackedMs: 1, by: '[default]' },
    'rejoins',
  ],
  [{ kind: 'config', needRestart: [] }, 'configs'],
  [{ kind: 'config-mistake', mistakes: ['x', 'y'] }, 'configMistakes'],
  [{ kind: 'override', client: 'lab/alice', by: 'user root' }, 'overrides'],
  [{ kind: 'order', server: 'lab', client: 1, command: 'kill alice' }, 'orders'],
  [{ kind: 'wrong-password', server: 'lab', text: 'x' }, 'wrongPasswords'],
  [{ kind: 'problem', text: 'x', severity: 'warn' }, 'problems'],
] as const satisfies readonly (readonly [DaemonEvent, string])[])(
  '%j counts as one of %s',
  (event, counter) => {
    events.publish(event);
    events.publish(event);
    expect(counters.values()[counter]).toBe(2);
  },
);

it('counts subflows that were closed above a limit, and the results of priority changes', () => {
  events.publish({ kind: 'excess-subflows', closed: 40, connections: 1, worst: [], text: 'x' });
  const [change] = round(client('alice')).sessions.flatMap(({ wishes }) => wishes);
  if (change === undefined) throw new TypeError('nothing is to be set');
  const result = (outcome: 'committed' | 'gone') => ({
    change,
    result: { outcome, isMpPrioRequested: false },
  });
  counters.addChanges([result('committed'), result('gone'), result('committed')]);
  expect(counters.values()).toMatchObject({
    subflows: { closedAboveLimit: 40 },
    priorityChanges: { committed: 2, unchanged: 0, gone: 1, refused: 0 },
  });
});
