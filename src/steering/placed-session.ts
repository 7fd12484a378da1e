import type { Connection } from '../model/connection.js';
import { DEFAULT_MODE } from '../model/mode.js';
import type { Config } from '../config/config.js';
import { clientKey, type Session, qualifiedName } from '../model/session.js';
import { rememberingPathFinder } from './paths.js';
import { ruleFinder, type Overrides, type Rule } from './rule.js';
import type { ObservedSession, Snapshot } from './snapshot.js';
import { placeSubflows, type PlacedSubflow } from './subflows.js';

/** A session with the rule that counts for it, and where each of its subflows runs. */
export interface PlacedSession {
  readonly session: Session;
  readonly rule: Rule;
  readonly connection: ObservedSession['connection'];
  readonly unsteerable?: ObservedSession['unsteerable'];
  /** Empty where the kernel shows no connection, or a plain one. */
  readonly placed: readonly PlacedSubflow[];
}

/** Sessions live over many rounds, and each asks for them several times. */
const keys = new WeakMap<Session, string>();

/** What tells sessions apart, from one round to the next. */
export function sessionKey(session: Session): string {
  const known = keys.get(session);
  if (known !== undefined) return known;
  const key = `${session.server} ${session.pid} ${clientKey(session)}`;
  keys.set(session, key);
  return key;
}

/** Pure: the same snapshot, config and overrides give the same. */
export function placeSessions(snapshot: Snapshot, config: Config, overrides: Overrides): PlacedSession[] {
  const byName = ruleFinder(config);
  const pathOf = rememberingPathFinder(config.paths);
  const virtual = virtualAddresses(snapshot);
  return snapshot.sessions.map(({ session, connection, unsteerable }) => {
    const override = overrides.get(qualifiedName(session));
    const rule = byName(session.commonName);
    return {
      session,
      connection,
      ...(unsteerable && { unsteerable }),
      rule: override === undefined ? rule : overridden(rule, override),
      placed: isConnection(connection)
        ? placeSubflows(connection, pathOf, virtual.get(session.server) ?? new Set())
        : [],
    };
  });
}

function isConnection(connection: ObservedSession['connection']): connection is Connection {
  return connection !== undefined && connection !== 'plain';
}

/** An admin's word wins over any mode. */
function overridden({ peerBackup }: Rule, path: string): Rule {
  return { section: 'override', mode: DEFAULT_MODE, primary: [path], allowed: [path], peerBackup };
}

/** By server: several can use the same pool. */
function virtualAddresses({ sessions }: Snapshot): Map<string, Set<string>> {
  const byServer = new Map<string, Set<string>>();
  for (const { session } of sessions) {
    const addresses = byServer.get(session.server) ?? new Set();
    for (const address of session.virtual) addresses.add(address);
    byServer.set(session.server, addresses);
  }
  return byServer;
}
