import { expect, it } from 'vitest';
import { statusText } from '../../../../src/console/text/status.js';
import type { DaemonStatus } from '../../../../src/api/status.js';
import type { ServerStatus } from '../../../../src/openvpn/server-status.js';
import { plan } from '../../../../src/steering/plan.js';
import type { ObservedSession } from '../../../../src/steering/snapshot.js';
import { LTE, WIFI } from '../../../support/alice.js';
import { configOf } from '../../../support/config.js';
import { client, statusOf } from '../steered.js';

const WIFI6 = { address: '2001:db8:100:ffff:ffff:ffff:ffff:ffff', port: 65535 };

function text(clients: readonly ObservedSession[], more: Partial<DaemonStatus> = {}): string[] {
  const config = configOf(['wifi']);
  const paths = [...config.paths, { name: '山道', prefixes: ['2001:db8:100::/48'], maxLoss: 0.1 }];
  const { sessions } = plan({ sessions: clients }, { ...config, paths }, new Map());
  return statusText(statusOf({ sessions, ...more }));
}

/** Returns where each column of a table begins. */
function columns(head: string): number[] {
  return [...head.matchAll(/PATH|CLIENT'S PRIORITY|CLIENT|SERVER|OUR PRIORITY/g)].map(({ index }) => index);
}

it('begins with version, kernel and backend, and ends with the number of sessions', () => {
  expect(text([])).toEqual(['subflowd 0.1.0, kernel 6.1.0, backend devmem (mapped)', 'no sessions']);
  expect(text([client('a')]).at(-1)).toBe('1 session');
  expect(text([client('a'), client('b')]).at(-1)).toBe('2 sessions');
});

it('shows a session with its rule, and its subflows in columns with the changes to be made', () => {
  const [, , session, rule, head = '', ...rows] = text([client('alice')]);
  expect(session).toBe('session alice: from 192.168.100.2:38456, 10.8.0.2, server lab');
  expect(rule).toBe('    [default] primary = wifi: pending, wifi is to be primary by [default]');
  const [wifi = '', lte = ''] = rows;
  expect(wifi.trim().split(/ {2,}/)).toEqual([
    'wifi',
    '192.168.100.2:38456',
    '192.168.110.2:1194',
    'active',
    'active',
  ]);
  expect(lte.trim().split(/ {2,}/)).toEqual([
    'lte',
    '192.168.200.2:43622',
    '192.168.110.2:1194',
    'active',
    'active',
    'to become backup',
  ]);
  for (const row of [wifi, lte]) {
    for (const at of columns(head)) expect(row.slice(at - 1, at + 1)).toMatch(/^ \S$/);
  }
});

it('separates the columns if addresses and path names are long', () => {
  const rows = text([client('alice', { remotes: [WIFI6, WIFI] })]);
  const [v6 = '', v4 = ''] = rows.slice(rows.findIndex((row) => row.includes('OUR PRIORITY')) + 1);
  expect(v6.trim().split(/ {2,}/).slice(0, 3)).toEqual([
    '山道',
    '[2001:db8:100:ffff:ffff:ffff:ffff:ffff]:65535',
    '192.168.110.2:1194',
  ]);
  // 山道 is four columns wide in two characters
  expect(v4.indexOf('192.168.110.2')).toBe(v6.indexOf('192.168.110.2') + 2);
  expect(rows).toContain(`session alice: from [${WIFI6.address}]:65535, 10.8.0.2, server lab`);
});

it('marks subflows on no path, through the tunnel, and with a pending notification', () => {
  const elsewhere = { address: '203.0.113.5', port: 1 };
  const tunnel = { address: '10.8.0.2', port: 2 };
  const { session, connection } = client('alice', { remotes: [WIFI, elsewhere, tunnel], wish: 'backup' });
  if (typeof connection !== 'object') throw new Error('a connection');
  const subflows = connection.subflows.map((subflow) => ({ ...subflow, mpPrioPending: true }));
  const rows = text([{ session, connection: { ...connection, subflows } }]).join('\n');
  expect(rows).toMatch(/^ {4}wifi .* to become active, client not yet notified$/m);
  expect(rows).toMatch(/^ {4}\(elsewhere\) .* client not yet notified$/m);
  expect(rows).toMatch(/^ {4}\(tunnel\) .*10\.8\.0\.2:2 /m);
});

it.each([
  [
    { name: 'a', management: 'absent', recorded: 0, pids: [] },
    'server a: no process known, hooks only, 0 recorded by hooks',
  ],
  [
    {
      name: 'a',
      management: 'connected',
      recorded: 2,
      pids: [7],
      version: 'OpenVPN 2.6.14 x86_64-pc-linux-gnu',
    },
    'server a: OpenVPN 2.6.14, process 7, management connected, 2 recorded by hooks',
  ],
  [
    {
      name: 'a',
      management: 'unreachable',
      managementTrouble: 'it hung\u001b up',
      recorded: 1,
      pids: [7, 8],
    },
    'server a: process 7, 8, management unreachable: it hung\\x1b up, 1 recorded by hooks',
  ],
] satisfies [ServerStatus, string][])('shows what is known of a server: %j', (server, line) => {
  expect(text([], { servers: [server] })).toContain(line);
});

it('shows no table for a session that cannot be steered', () => {
  const { session } = client('alice', { remotes: [LTE] });
  expect(text([{ session, connection: 'plain' }])).toContain(
    '    [default] primary = wifi: plain, plain TCP, not MPTCP: cannot be steered',
  );
  expect(text([{ session, connection: undefined }]).join('\n')).not.toContain('OUR PRIORITY');
});

it('shows what a client has carried of each quota, and that a path over it is the last choice', () => {
  const [alice] = plan({ sessions: [client('alice')] }, configOf(['wifi']), new Map()).sessions;
  if (!alice) throw new Error('a plan without the session');
  const quota = { bytes: 5e9, period: 'month', units: 'decimal', until: Date.parse('2026-12-01') } as const;
  const quotas = [
    { path: 'lte', used: 5.1e9, ...quota },
    { path: 'wifi', used: 1.2e6, ...quota },
  ];
  const lines = statusText(statusOf({ sessions: [{ ...alice, quotas }] }));
  expect(lines.filter((line) => line.includes('quota'))).toEqual([
    '    quota lte: 5.1 GB of 5 GB this month, until 1 December; the path is its last choice',
    '    quota wifi: 1.2 MB of 5 GB this month, until 1 December',
  ]);
});
