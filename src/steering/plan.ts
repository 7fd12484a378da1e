import type { Connection, Priority, Subflow, SubflowName } from '../backend/backend.js';
import type { Config } from '../config/config.js';
import type { Session } from '../openvpn/session.js';
import { pathFinder } from './paths.js';
import { overrideKey, ruleFinder, type Overrides, type Rule } from './rule.js';
import type { ObservedSession, Snapshot } from './snapshot.js';
import { currentPrimary, placeSubflows, type PlacedSubflow, type VirtualAddresses } from './subflows.js';

/**
 * How a session stands to its rule.
 * - `obeyed`: a wanted path is primary.
 * - `pending`: it is not yet; the wishes make it so.
 * - `absent`: the client has none of the wanted paths and keeps what it has.
 * - `unruled`: no rule asks for a path; the client is left as it is.
 * - `plain`: the client speaks plain TCP and cannot be steered.
 * - `unknown`: the kernel shows no connection for the session.
 */
export type SessionState = 'obeyed' | 'pending' | 'absent' | 'unruled' | 'plain' | 'unknown';

/** One priority to set. */
export interface Wish {
  readonly name: SubflowName;
  readonly priority: Priority;
  /** The client's own wish for backup is to be taken back. */
  readonly overridePeer?: true;
}

/** What the plan means for one subflow. */
export interface SubflowPlan {
  readonly subflow: Subflow;
  /** Absent: on no path of the config. */
  readonly path?: string;
  /** Runs through the tunnel itself: never on a path, always backup. */
  readonly throughTunnel: boolean;
  /** Absent: left as it is. */
  readonly wished?: Priority;
  /** Whether nothing is to be set: `ours` already equals `wished`, or nothing is wished. */
  readonly asWished: boolean;
  /** The rule overrides the client's own wish for backup. */
  readonly overridePeer?: true;
}

/** What the plan means for one session; plain data, as `status --json` prints it. */
export interface SessionPlan {
  readonly session: Session;
  /** Absent in the states `plain` and `unknown`. */
  readonly connection?: Omit<Connection, 'subflows'>;
  readonly rule: Rule;
  readonly state: SessionState;
  /** One line for people. */
  readonly reason: string;
  /** The wanted path that the plan makes primary; present in the states `obeyed` and `pending`. */
  readonly primary?: string;
  /** The path that is primary now; absent when there is no such one path. */
  readonly current?: string;
  /** Wanted paths that the client does not have, and that come before `primary`. */
  readonly missing: readonly string[];
  /** The client itself asks for backup on every subflow of `primary`: traffic stays away whatever this host wishes. */
  readonly heldBack: boolean;
  readonly subflows: readonly SubflowPlan[];
  /**
   * To be applied in this order: active ones first, so that at no moment all are backup. When an active one is not
   * committed, the backup ones behind it must wait for the next observation.
   */
  readonly wishes: readonly Wish[];
}

/** What to do about a snapshot. */
export interface Plan {
  /** In the order of the snapshot. */
  readonly sessions: readonly SessionPlan[];
}

interface Rules {
  readonly ruleOf: (session: Session) => Rule;
  readonly pathOf: (address: string) => string | undefined;
  readonly virtualOf: (session: Session) => VirtualAddresses;
}

/** Pure: the same snapshot, config and overrides give the same plan. */
export function plan(snapshot: Snapshot, config: Config, overrides: Overrides): Plan {
  const byName = ruleFinder(config);
  const virtual = virtualAddresses(snapshot);
  const rules: Rules = {
    pathOf: pathFinder(config.paths),
    virtualOf: ({ server }) => virtual.get(server) ?? new Set(),
    ruleOf: (session) => {
      const override = overrides.get(overrideKey(session));
      const rule = byName(session.commonName);
      return override === undefined ? rule : overridden(rule, override);
    },
  };
  return { sessions: snapshot.sessions.map((observed) => planSession(observed, rules)) };
}

/** An admin's word wins over any mode. */
function overridden({ peerBackup }: Rule, path: string): Rule {
  return { section: 'override', mode: 'active-standby', primary: [path], allowed: [path], peerBackup };
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

function planSession({ session, connection }: ObservedSession, rules: Rules): SessionPlan {
  const rule = rules.ruleOf(session);
  if (connection === undefined || connection === 'plain') {
    const [state, reason] =
      connection === 'plain'
        ? (['plain', 'plain TCP, not MPTCP: cannot be steered'] as const)
        : (['unknown', 'the kernel shows no connection from its address'] as const);
    return { session, rule, state, reason, missing: [], heldBack: false, subflows: [], wishes: [] };
  }
  const placed = placeSubflows(connection, rules.pathOf, rules.virtualOf(session));
  const primary = rule.primary.find((wanted) => placed.some(({ path }) => path === wanted));
  const subflows =
    primary === undefined ? keep(placed) : steer(placed, primary, rule.peerBackup === 'override');
  const wishes = wishesOf(connection, subflows);
  const missing = rule.primary.slice(0, primary === undefined ? undefined : rule.primary.indexOf(primary));
  const heldBack =
    primary !== undefined &&
    placed.every(({ subflow, path }) => path !== primary || subflow.peers === 'backup');
  const current = currentPrimary(placed);
  const { pid, remote, local, token, caveat } = connection;
  return {
    session,
    connection: { pid, remote, local, token, ...(caveat !== undefined && { caveat }) },
    rule,
    state: stateOf(rule, primary, wishes),
    reason: [reasonOf({ rule, primary, missing, heldBack, subflows, wishes }), caveat]
      .filter(Boolean)
      .join('; '),
    ...(primary !== undefined && { primary }),
    ...(current !== undefined && { current }),
    missing,
    heldBack,
    subflows,
    wishes,
  };
}

function subflowPlan(placed: PlacedSubflow, wished: Priority | undefined, overrides = false): SubflowPlan {
  const { subflow, path, throughTunnel } = placed;
  const overridePeer = overrides && wished === 'active' && subflow.peers === 'backup';
  return {
    subflow,
    ...(path !== undefined && { path }),
    throughTunnel,
    ...(wished && { wished }),
    asWished: (wished === undefined || wished === subflow.ours) && !overridePeer,
    ...(overridePeer && { overridePeer }),
  };
}

function steer(subflows: readonly PlacedSubflow[], primary: string, overrides: boolean): SubflowPlan[] {
  return subflows.map((placed) =>
    subflowPlan(placed, placed.path === primary ? 'active' : 'backup', overrides),
  );
}

/**
 * Without a primary everything is left as it is, but for a subflow through the tunnel, which is backup. Where all are
 * backup the schedulers use all of them alike, that one too; so if no other is active, the others become so.
 */
function keep(subflows: readonly PlacedSubflow[]): SubflowPlan[] {
  const tunnelled = subflows.some(({ throughTunnel }) => throughTunnel);
  const carried = subflows.some(({ subflow, throughTunnel }) => !throughTunnel && subflow.ours === 'active');
  const others = tunnelled && !carried ? 'active' : undefined;
  return subflows.map((placed) => subflowPlan(placed, placed.throughTunnel ? 'backup' : others));
}

function wishesOf(connection: Connection, subflows: readonly SubflowPlan[]): Wish[] {
  const open = subflows.filter(({ asWished }) => !asWished);
  return (['active', 'backup'] as const).flatMap((priority) =>
    open
      .filter(({ wished }) => wished === priority)
      .map(({ subflow: { local, remote }, overridePeer }) => ({
        name: { pid: connection.pid, connection: connection.remote, local, remote },
        priority,
        ...(overridePeer && { overridePeer }),
      })),
  );
}

function stateOf(rule: Rule, primary: string | undefined, wishes: readonly Wish[]): SessionState {
  if (primary !== undefined) return wishes.length > 0 ? 'pending' : 'obeyed';
  return rule.primary.length > 0 ? 'absent' : 'unruled';
}

function reasonOf({
  rule,
  primary,
  missing,
  heldBack,
  subflows,
  wishes,
}: Pick<SessionPlan, 'rule' | 'missing' | 'heldBack' | 'subflows' | 'wishes'> & {
  readonly primary: string | undefined;
}): string {
  const parts: string[] = [];
  if (primary !== undefined) {
    parts.push(`${primary} ${wishes.length > 0 ? 'is to be' : 'is'} primary by ${rule.section}`);
    if (missing.length > 0) parts.push(`the client has no subflow on ${missing.join(', ')}`);
    if (heldBack) {
      const overruled = rule.peerBackup === 'override' ? 'to be overridden' : 'peer-backup = respect';
      parts.push(`held back by the client, which asks for backup on ${primary} (${overruled})`);
    }
  } else if (rule.primary.length > 0) {
    parts.push(
      `${rule.section} wants ${missing.join(', ')}, where the client has no subflow: keeps what it has`,
    );
  } else {
    parts.push(`${rule.section} asks for no path: left as it is`);
  }
  const tunnelled = subflows.filter(({ throughTunnel }) => throughTunnel).length;
  if (tunnelled > 0) {
    parts.push(
      `${tunnelled} of its subflows ${tunnelled === 1 ? 'runs' : 'run'} through the tunnel itself: backup`,
    );
    if (tunnelled === subflows.length) parts.push('no subflow is left to be active');
    else if (primary === undefined && subflows.some(({ wished }) => wished === 'active')) {
      parts.push('no other was active, so all others become active');
    }
  }
  return parts.join('; ');
}
