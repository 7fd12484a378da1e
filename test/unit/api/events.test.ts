import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { logEvents } from '../../../src/api/event-log.js';
import { EventStream, type DaemonEvent } from '../../../src/api/events.js';
import { switchOf } from '../console/steered.js';

describe('an event', () => {
  it('reaches everybody who has subscribed, until the subscription ends', () => {
    const events = new EventStream();
    const seen: string[] = [];
    const unsubscribe = events.subscribe(({ kind }) => seen.push(`one ${kind}`));
    events.subscribe(({ kind }) => seen.push(`two ${kind}`));
    events.publish({ kind: 'stopped' });
    unsubscribe();
    unsubscribe();
    events.publish({ kind: 'stopped' });
    expect(seen).toEqual(['one stopped', 'two stopped', 'two stopped']);
  });

  it('reaches a listener twice if it has subscribed twice', () => {
    const events = new EventStream();
    let count = 0;
    const listener = () => (count += 1);
    const unsubscribe = events.subscribe(listener);
    events.subscribe(listener);
    events.publish({ kind: 'stopped' });
    unsubscribe();
    events.publish({ kind: 'stopped' });
    expect(count).toBe(3);
  });
});

/** The lines that one event adds to the log, without their time. */
function logged(event: DaemonEvent): readonly unknown[] {
  const lines: unknown[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(JSON.parse(line)) });
  const events = new EventStream();
  logEvents(events, log);
  events.publish(event);
  return lines;
}

describe('the log', () => {
  it.each([
    ['warn', 40],
    ['error', 50],
  ] as const)('has a problem at its level: %s', (severity, level) => {
    expect(logged({ kind: 'problem', text: 'a disk is full', severity })).toEqual([
      { level, event: 'problem', msg: 'a disk is full' },
    ]);
  });

  it('has all members of a switch, also who asked for it', () => {
    expect(logged(switchOf({ peerNotified: false }))).toEqual([
      {
        level: 30,
        event: 'switch',
        committedAt: 1_000,
        server: 'lab',
        commonName: 'alice',
        from: 'wifi',
        to: 'lte',
        by: '[default]',
        reason: 'lte is primary by [default]',
        peerTold: false,
        traffic: 'moved',
        msg: 'alice: from wifi to lte (the client is not notified)',
      },
    ]);
  });

  it.each([
    [{ traffic: 'moved', movedAt: 1_100 }, 'alice: from wifi to lte'],
    [{ traffic: 'idle' }, 'alice: from wifi to lte (nothing was sent since)'],
    [{ traffic: 'none' }, 'alice: from wifi to lte (nothing was acknowledged there)'],
    [{ traffic: 'unknown' }, 'alice: from wifi to lte (not known whether traffic followed)'],
  ] as const)('says whether traffic followed a switch: %j', (traffic, msg) => {
    expect(logged(switchOf(traffic))).toMatchObject([{ ...traffic, msg }]);
  });

  it('has one line for each mistake in the config', () => {
    expect(logged({ kind: 'config-mistake', mistakes: ['a:1: x', 'a:2: y'] })).toMatchObject([
      { level: 50, event: 'config-mistake', msg: 'a:1: x (the old config stays in force)' },
      { level: 50, event: 'config-mistake', msg: 'a:2: y (the old config stays in force)' },
    ]);
  });

  it('names who set an override', () => {
    expect(logged({ kind: 'override', client: 'lab/alice', to: 'lte', by: 'user root' })).toMatchObject([
      { event: 'override', key: 'lab/alice', path: 'lte', by: 'user root' },
    ]);
    expect(logged({ kind: 'override', client: 'lab/alice', by: 'user root' })).toMatchObject([
      { path: null },
    ]);
  });

  it('has the paths for which a client was disconnected', () => {
    const paths = ['wifi', 'lte'];
    expect(
      logged({
        kind: 'rejoin',
        server: 'lab',
        commonName: 'alice',
        paths,
        lackedMs: 300_400.7,
        by: '[default]',
      }),
    ).toEqual([
      {
        level: 30,
        event: 'rejoin',
        server: 'lab',
        commonName: 'alice',
        paths,
        lackedMs: 300_401,
        by: '[default]',
        msg: 'alice: disconnected while idle, so that it comes back with wifi, lte, which it lost 300 s ago (rejoin-after of [default])',
      },
    ]);
  });

  it('has no line for a subflow, because there are thousands', () => {
    const remote = { address: '192.0.2.1', port: 1 };
    expect(
      logged({
        kind: 'subflow',
        change: 'added',
        server: 'lab',
        commonName: 'alice',
        throughTunnel: false,
        remote,
        ours: 'active',
        peers: 'active',
      }),
    ).toEqual([]);
  });
});
