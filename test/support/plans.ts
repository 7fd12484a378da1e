import type { Config } from '../../src/config/config.js';
import type { Connection } from '../../src/model/connection.js';
import type { Session } from '../../src/model/session.js';
import type { Priority, Subflow } from '../../src/model/subflow.js';
import { plan, type SessionPlan } from '../../src/steering/plan.js';
import type { Overrides } from '../../src/steering/rule.js';
import { configOf } from './config.js';

export const LOCAL = { address: '192.0.2.1', port: 1194 };
export const WIFI = '192.168.100.2';
export const LTE = '192.168.200.2';
export const TUNNEL = '10.8.0.2';
export const ELSEWHERE = '203.0.113.9';

/** No overrides. */
export const NONE: Overrides = new Map();

const PATHS: Config['paths'] = [
  { name: 'wifi', prefixes: ['192.168.100.0/24', '2001:db8:100::/48'], maxLoss: 0.1 },
  { name: 'lte', prefixes: ['192.168.200.0/24', '2001:db8:200::/48'], maxLoss: 0.1 },
  // contains the tunnel's addresses, but a subflow through the tunnel is on no path
  { name: 'office', prefixes: ['10.0.0.0/8'], maxLoss: 0.1 },
];

/** {@link configOf} with three paths: `wifi`, `lte` and `office`. */
export function configWith(primary: readonly string[], clients: Config['clients'] = []): Config {
  return configOf(primary, { paths: PATHS, clients });
}

/** @param text `192.168.100.2 active`, or `192.168.100.2 active/backup` if the peer asks for another priority. */
export function subflow(text: string, port: number): Subflow {
  const [address = '', priorities = ''] = text.split(' ');
  const [ours, peers = 'active'] = priorities.split('/') as Priority[];
  return { local: LOCAL, remote: { address, port }, ours: ours ?? 'active', peers, mpPrioPending: false };
}

/** A session from `WIFI`. @param number makes its port unique. */
export function session(commonName: string, number = 1, virtual: readonly string[] = [TUNNEL]): Session {
  return { server: 'a', pid: 700, commonName, real: { address: WIFI, port: 40_000 + number }, virtual };
}

/** The connection of a session. @param subflows each as `192.168.100.2 active/backup`. */
export function connection({ pid, real }: Session, ...subflows: string[]): Connection {
  return {
    pid,
    remote: real,
    local: LOCAL,
    token: real.port,
    subflows: subflows.map((text, index) => subflow(text, 50_000 + index)),
  };
}

/** The plan of one session, which has these subflows. */
export function planOne(config: Config, subflows: readonly string[], overrides = NONE): SessionPlan {
  const alice = session('alice');
  const observed = { session: alice, connection: connection(alice, ...subflows) };
  const [only] = plan({ sessions: [observed] }, config, overrides).sessions;
  if (!only) throw new Error('a plan without the session');
  return only;
}

/** The priority changes of a plan, in their order: `192.168.100.2 active`. */
export const wishesOf = ({ wishes }: SessionPlan) =>
  wishes.map(({ name, priority }) => `${name.remote.address} ${priority}`);
