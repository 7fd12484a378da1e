import { expect, it } from 'vitest';
import { announcementsOf } from '../../../src/control/announcements.js';
import type { Connection } from '../../../src/model/connection.js';
import { ALICE_SESSION, LTE, PID, SERVER, WIFI } from '../../support/alice.js';

const OTHER = '2001:db8::1';
const subflow = {
  local: SERVER,
  remote: WIFI,
  ours: 'active',
  peers: 'active',
  mpPrioPending: false,
} as const;

function connection(...locals: readonly string[]): Connection {
  const subflows = locals.map((address) => ({ ...subflow, local: { address, port: 1194 } }));
  return { pid: PID, remote: LTE, local: SERVER, token: 7, subflows };
}

const servers = [{ name: 'lab', announce: [SERVER.address, OTHER] }];
const of = (found: Connection | 'plain' | undefined) =>
  announcementsOf(servers, { sessions: [{ session: ALICE_SESSION, connection: found }] });

it.each([
  ['the addresses that no subflow uses', connection(SERVER.address), [OTHER]],
  ['an address again when its subflow is gone', connection(OTHER), [SERVER.address]],
  ['all addresses to a connection without a subflow', connection(), [SERVER.address, OTHER]],
])('announces %s', (_, found, addresses) => {
  expect(of(found)).toEqual([{ pid: PID, token: 7, addresses }]);
});

it('announces nothing where all are used, where there is no MPTCP, and for a server without announce', () => {
  expect(of(connection(SERVER.address, OTHER))).toEqual([]);
  expect(of('plain')).toEqual([]);
  expect(of(undefined)).toEqual([]);
  const sessions = [{ session: ALICE_SESSION, connection: connection(SERVER.address) }];
  expect(announcementsOf([{ name: 'lab' }], { sessions })).toEqual([]);
  expect(announcementsOf([{ name: 'other', announce: [OTHER] }], { sessions })).toEqual([]);
});
