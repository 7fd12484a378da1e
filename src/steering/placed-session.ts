import type { Connection } from '../model/connection.js';
import { DEFAULT_MODE } from '../model/mode.js';
import type { QuotaUse } from '../model/quota.js';
import type { Config } from '../config/config.js';
import { clientKey, type Session, qualifiedName } from '../model/session.js';
import { rememberingPathFinder } from './paths.js';
import { fallback, type Fallback } from './fallback.js';
import { NO_ACCOUNTS, quotaUses, type QuotaAccounts } from './quota.js';
import { rememberingRuleFinder, type Overrides, type Rule } from './rule.js';
import type { ObservedSession, Snapshot } from './snapshot.js';
import { isHeldBackByClient, placeSubflows, type PlacedSubflow } from './subflows.js';

/** A session with the rule that applies to it, and the path of each of its subflows. */
export interface PlacedSession {
  readonly session: Session;
  readonly rule: Rule;
  readonly connection: ObservedSession['connection'];
  readonly unsteerable?: ObservedSession['unsteerable'];
  /** Absent if its connection did not fall back to plain TCP. */
  readonly fellBack?: Fallback;
  /** Empty if the kernel shows no MPTCP connection. */
  readonly placed: readonly PlacedSubflow[];
  /** What its client has carried on each path with a quota; absent: its rule has no quota. */
  readonly quotas?: readonly QuotaUse[];
}

/** Keys are remembered, because a session lasts for many rounds and each uses its key several times. */
const keys = new WeakMap<Session, string>();

/** The key of a session: unique, and the same in all rounds. */
export function sessionKey(session: Session): string {
  const known = keys.get(session);
  if (known !== undefined) return known;
  const key = `${session.server} ${session.pid} ${clientKey(session)}`;
  keys.set(session, key);
  return key;
}

/** Finds the rule of each session, and the path of each subflow. Pure: the same input gives the same result. */
export function placeSessions(
  snapshot: Snapshot,
  config: Config,
  overrides: Overrides,
  accounts: QuotaAccounts = NO_ACCOUNTS,
): PlacedSession[] {
  const byName = rememberingRuleFinder(config);
  const pathOf = rememberingPathFinder(config.paths);
  const virtual = virtualAddresses(snapshot);
  return snapshot.sessions.map(({ session, connection, unsteerable, fellBackSince }) => {
    const override = overrides.get(qualifiedName(session));
    const rule = byName(session.commonName);
    const quotas = quotaUses(session, rule, accounts);
    return {
      session,
      connection,
      ...(unsteerable && { unsteerable }),
      ...(fellBackSince !== undefined && {
        fellBack: fallback(fellBackSince, pathOf(session.real.address)),
      }),
      rule: override === undefined ? rule : overridden(rule, override),
      placed: isConnection(connection)
        ? placeSubflows(connection, pathOf, virtual.get(session.server) ?? new Set())
        : [],
      ...(quotas && { quotas }),
    };
  });
}

function isConnection(connection: ObservedSession['connection']): connection is Connection {
  return connection !== undefined && connection !== 'plain';
}

/** An override replaces the whole rule, except `peer-backup`, and the quotas: what the client carries still counts. */
function overridden({ peerBackup, quota, quotaDay }: Rule, path: string): Rule {
  return {
    section: 'override',
    mode: DEFAULT_MODE,
    primary: [path],
    allowed: [path],
    ...(quota && { quota }),
    ...(quotaDay !== undefined && { quotaDay }),
    peerBackup,
  };
}

/** The addresses inside the tunnel, by server: several servers can use the same pool. */
function virtualAddresses({ sessions }: Snapshot): Map<string, Set<string>> {
  const byServer = new Map<string, Set<string>>();
  for (const { session } of sessions) {
    const addresses = byServer.get(session.server) ?? new Set();
    for (const address of session.virtual) addresses.add(address);
    byServer.set(session.server, addresses);
  }
  return byServer;
}

/** Whether the client asks for backup on all its subflows of a path, and the rule respects this. */
export function isHeldBack({ rule, placed }: Pick<PlacedSession, 'rule' | 'placed'>, path: string): boolean {
  return rule.peerBackup !== 'override' && isHeldBackByClient(placed, path);
}
