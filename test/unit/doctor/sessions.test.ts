import { describe, expect, it } from 'vitest';
import type { DaemonStatus } from '../../../src/api/status.js';
import { checkSessions } from '../../../src/doctor/sessions.js';
import { plan } from '../../../src/steering/plan.js';
import type { ObservedSession } from '../../../src/steering/snapshot.js';
import { LTE, WIFI } from '../../support/alice.js';
import { configOf } from '../../support/config.js';
import { client, statusOf } from '../console/steered.js';

describe('checkSessions', () => {
  /** The status of a daemon with these clients and problems. */
  function status(clients: readonly ObservedSession[], problems: readonly string[] = []): DaemonStatus {
    const { sessions } = plan({ sessions: clients }, configOf(['wifi']), new Map());
    return statusOf({ sessions, problems });
  }
  const { session } = client('alice');

  it('reports nothing about a client with two paths', () => {
    expect(checkSessions(status([client('alice')]))).toEqual([]);
  });

  it.each([
    ['plain TCP', { session, connection: 'plain' as const }, 'it uses plain TCP', 'mptcpize run'],
    [
      'a connection that another client claims too',
      { session, connection: undefined, unsteerable: 'disputed' as const },
      'another client of its server has the same address and port',
      undefined,
    ],
    [
      'a connection that fell back',
      { session, connection: 'plain' as const, fellBackSince: 0 },
      'it fell back to plain TCP: something on the way strips MPTCP (path wifi); seen since 1970',
      'a proxy, a firewall or a VPN on the way',
    ],
    [
      'a connection without subflows',
      client('alice', { remotes: [] }),
      'its connection has no subflow left',
      'keepalive 10 60',
    ],
    ['one subflow', client('alice', { remotes: [LTE] }), 'it has only one subflow', 'ip mptcp endpoint add'],
    [
      'a subflow through the tunnel',
      client('alice', { remotes: [WIFI, LTE, { address: '10.8.0.2', port: 1 }] }),
      'it has a subflow through the tunnel itself',
      'remove the MPTCP endpoint of the tun device',
    ],
  ])('notes %s, and how to fix it', (_, observed, found, remedy) => {
    const checks = checkSessions(status([observed]));
    expect(checks).toHaveLength(1);
    expect(checks[0]).toMatchObject({ name: 'client alice', verdict: 'note' });
    expect(checks[0]?.found).toContain(found);
    if (remedy !== undefined) expect(checks[0]?.remedy).toContain(remedy);
  });

  it('does not blame a client with one subflow for what the host of the server does', () => {
    const one = client('alice', { remotes: [LTE] });
    const obstacles = new Map([[one.session.pid, 'server lab, process 7']]);
    const [check] = checkSessions(status([one]), obstacles);
    expect(check?.remedy).toBe(
      'first fix what this host does, which the line "server lab, process 7" names; then let the client reconnect',
    );
  });

  it.each(['udp', 'not-let-in'] as const)('reports nothing about a client that is %s', (unsteerable) => {
    expect(checkSessions(status([{ session, connection: undefined, unsteerable }]))).toEqual([]);
  });

  it('repeats the problems of the daemon', () => {
    expect(checkSessions(status([{ session, connection: undefined }], ['process 7: fd table']))).toEqual([
      { name: 'daemon', verdict: 'note', found: 'process 7: fd table' },
      { name: 'client alice', verdict: 'note', found: 'the kernel shows no connection from its address' },
    ]);
  });
});
