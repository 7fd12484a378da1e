import type { Config } from '../config/config.js';
import type { Connection } from '../model/connection.js';
import type { PathLoad } from '../model/path-load.js';
import type { QuotaUse } from '../model/quota.js';
import type { Rate } from '../model/rate.js';
import type { Session } from '../model/session.js';
import type { Priority, Subflow, SubflowName } from '../model/subflow.js';
import { obstacleOf, obstaclesOf, usablePaths, type UsablePaths } from './choice.js';
import { sessionFacts, subflowFacts, type SubflowFacts } from './facts.js';
import { fallbackReason, type Fallback } from './fallback.js';
import { NO_GUIDANCE, type Guidance } from './guidance.js';
import { MODE_TABLE } from './modes/table.js';
import { placeSessions, sessionKey, type PlacedSession } from './placed-session.js';
import { planReason } from './plan-reason.js';
import { wantedPaths, type Overrides, type Rule } from './rule.js';
import type { ObservedSession, Snapshot } from './snapshot.js';
import { currentPrimary, isHeldBackByClient, type PlacedSubflow } from './subflows.js';

/**
 * Whether a session is as its rule wants it. `status --json` prints these words, so they stay as they are.
 * - `obeyed`: a wanted path is primary.
 * - `pending`: it is not yet; the priority changes of the plan make it so.
 * - `absent`: the client has none of the paths that its rule wants or allows, and keeps what it has.
 * - `elsewhere`: no wanted path carries, so another one is primary until one does.
 * - `no-subflow`: the connection has lost its last subflow. The tunnel stands still until the client reconnects.
 * - `unruled`: no rule asks for a path; the client is left as it is.
 * - `plain`: the client speaks plain TCP and cannot be steered.
 * - `udp`: the client is connected over UDP and cannot be steered.
 * - `not-let-in`: OpenVPN lists the client but has not let it in, or has refused it.
 * - `unknown`: the kernel shows no connection for the session, or subflowd cannot know whose connection it is.
 */
export type SessionState =
  | 'obeyed'
  | 'pending'
  | 'absent'
  | 'elsewhere'
  | 'no-subflow'
  | 'unruled'
  | 'plain'
  | 'udp'
  | 'not-let-in'
  | 'unknown';

/** The state and the reason of sessions without a connection that can be steered. */
const UNSTEERABLE: Readonly<
  Record<
    'plain' | 'unseen' | Exclude<ObservedSession['unsteerable'], undefined>,
    readonly [SessionState, string]
  >
> = {
  plain: ['plain', 'plain TCP, not MPTCP: cannot be steered'],
  udp: ['udp', 'over UDP, and MPTCP is TCP: cannot be steered'],
  'not-let-in': ['not-let-in', 'OpenVPN has not let it in yet, or refuses it'],
  disputed: [
    'unknown',
    'another client of its server has the same address and port, so subflowd cannot know whose connection it is; if ' +
      'one of them is over UDP, the management interface of OpenVPN shows which',
  ],
  unseen: ['unknown', 'the kernel shows no connection from its address'],
};

/** One priority to set. */
export interface PriorityChange {
  readonly name: SubflowName;
  readonly priority: Priority;
  /** The client itself asks for backup there, and the change overrides this. */
  readonly overridePeer?: true;
}

/** What the plan means for one subflow; plain data, as `status --json` prints it. */
export interface SubflowPlan extends SubflowFacts {
  readonly subflow: Subflow;
  /** Absent: on no path of the config. */
  readonly path?: string;
  /** Whether it runs through the tunnel itself. Then it is on no path, and the plan makes it backup. */
  readonly throughTunnel: boolean;
  /** The priority that the plan wants; absent: the subflow is left as it is. */
  readonly wished?: Priority;
  /** Whether nothing has to be set: `ours` already equals `wished`, or `wished` is absent. */
  readonly asWished: boolean;
  /** The client itself asks for backup, and the rule overrides this. */
  readonly overridePeer?: true;
}

/** What the plan means for one session; plain data, as `status --json` prints it. */
export interface SessionPlan {
  readonly session: Session;
  /** Absent in the states `plain`, `udp`, `not-let-in` and `unknown`. */
  readonly connection?: Omit<Connection, 'subflows'>;
  readonly rule: Rule;
  readonly state: SessionState;
  /** Why the session is in this state: one line for people. */
  readonly reason: string;
  /** What was observed and is not as an admin would expect, for people; unlike `reason`, it changes with the time. */
  readonly facts: readonly string[];
  /** The paths that its traffic is really on: those that carried something lately, the one with the most first. */
  readonly carriedOn: readonly string[];
  /** Present only in the state `plain`, if the connection was MPTCP before. */
  readonly fellBack?: Fallback;
  /**
   * The path that the plan makes primary; present in the states `obeyed`, `pending` and `elsewhere`, if only one path is
   * active.
   */
  readonly primary?: string;
  /** The paths that the plan makes active together, if the mode wants several. */
  readonly active?: readonly string[];
  /** Its rate over all its subflows, bit/s; absent if it is not known yet. */
  readonly rate?: Rate;
  /** What its client has carried on each path with a quota; absent: its rule has no quota. */
  readonly quotas?: readonly QuotaUse[];
  /** The path that is primary now; absent if no single path is. */
  readonly current?: string;
  /** Wanted paths that the client does not have, and that come before `primary`. */
  readonly missing: readonly string[];
  /** Whether the client asks for backup on all subflows of the active paths. Then it sends no traffic there. */
  readonly heldBack: boolean;
  readonly subflows: readonly SubflowPlan[];
  /**
   * The priority changes. Apply them in this order: active ones first, so that at no moment all subflows are backup.
   * If an active one is not committed, the backup ones after it must wait for the next observation.
   */
  readonly wishes: readonly PriorityChange[];
}

/** The plan for all sessions of a snapshot. */
export interface Plan {
  /** In the order of the snapshot. */
  readonly sessions: readonly SessionPlan[];
  /** What the paths carry, in the order of the config. */
  readonly paths: readonly PathLoad[];
}

/**
 * Makes the plan for a snapshot. Pure: the same snapshot, config, overrides and guidance give the same plan. The
 * controller takes its two steps one by one, because modes make their guidance from the result of the first.
 */
export function plan(
  snapshot: Snapshot,
  config: Config,
  overrides: Overrides,
  guidance: Guidance = NO_GUIDANCE,
): Plan {
  return planSessions(placeSessions(snapshot, config, overrides), guidance);
}

/** The plan for sessions whose rules and paths are known already; see {@link plan}. */
export function planSessions(sessions: readonly PlacedSession[], guidance: Guidance): Plan {
  return { sessions: sessions.map((session) => planSession(session, guidance)), paths: guidance.loads };
}

function planSession(placedSession: PlacedSession, guidance: Guidance): SessionPlan {
  const { session, connection, rule, placed, unsteerable, fellBack, quotas } = placedSession;
  if (connection === undefined || connection === 'plain') {
    const [state, plainReason] = UNSTEERABLE[unsteerable ?? connection ?? 'unseen'];
    const reason = fellBack ? fallbackReason(fellBack) : plainReason;
    const nothing = { missing: [], heldBack: false, facts: [], carriedOn: [], subflows: [], wishes: [] };
    return { session, rule, state, reason, ...(fellBack && { fellBack }), ...nothing };
  }
  const key = sessionKey(session);
  const mode = MODE_TABLE[rule.mode];
  const usable = guidance.usable.get(key) ?? usablePaths(placedSession, guidance.health);
  const active = mode.activePaths(placedSession, usable, guidance.choices.get(key));
  const isWaiting = active.length === 0 && mode.usesMeasurements && usable.paths.length > 0;
  const primary = active.length === 1 ? active[0] : undefined;
  const planned =
    active.length === 0 ? planUnchanged(placed) : planActive(placed, active, rule.peerBackup === 'override');
  const subflows = planned.map((subflow, index) => ({
    ...subflow,
    ...subflowFacts(placedSession, index, guidance),
  }));
  const wishes = priorityChanges(connection, subflows);
  const missing = missingPaths(placedSession, active);
  const heldBack = active.length > 0 && active.every((path) => isHeldBackByClient(placed, path));
  const current = currentPrimary(placed);
  const rate = guidance.rates.get(key);
  const { pid, remote, local, token, caveat } = connection;
  return {
    session,
    connection: { pid, remote, local, token, ...(caveat !== undefined && { caveat }) },
    rule,
    state: isWaiting ? 'pending' : stateOf(placedSession, active, usable, wishes),
    reason: [
      isWaiting
        ? `${mode.decidedBy(rule)} has not chosen its path yet`
        : planReason({
            rule,
            active,
            missing,
            heldBack,
            subflows,
            wishes,
            obstacles: obstaclesOf(placedSession, active, guidance),
            isStranded:
              active.length > 0 &&
              active.every((path) => obstacleOf(session, path, guidance.health) === 'dead'),
            isElsewhere: usable.isElsewhere,
            isBack: guidance.moves.get(key)?.isBack ?? false,
          }),
      caveat,
      guidance.isDryRun && wishes.length > 0 && 'dry-run: nothing is set',
    ]
      .filter(Boolean)
      .join('; '),
    ...sessionFacts(placedSession, guidance),
    ...(primary !== undefined && { primary }),
    ...(active.length > 1 && { active }),
    ...(current !== undefined && { current }),
    ...(rate && { rate }),
    ...(quotas && { quotas }),
    missing,
    heldBack,
    subflows,
    wishes,
  };
}

/**
 * The wanted paths that the client does not have, and that come before the active one; all of them if none is active.
 */
function missingPaths({ rule, placed }: PlacedSession, active: readonly string[]): readonly string[] {
  const wants = wantedPaths(rule);
  if (active.length === 0) return wants;
  if (wants !== rule.primary) return [];
  const before = wants.slice(0, wants.indexOf(active[0] ?? ''));
  return before.filter((wanted) => !placed.some(({ path }) => path === wanted));
}

/**
 * Makes the subflows of these paths active, and all others backup. If the client holds all of these back, all subflows
 * would be backup in effect, and the scheduler would use all. So then those that it does not hold back become active too.
 */
function planActive(
  subflows: readonly PlacedSubflow[],
  active: readonly string[],
  overrides: boolean,
): SubflowPlan[] {
  const isChosen = ({ path }: PlacedSubflow) => active.includes(path ?? '');
  const isInUse = subflows.some((one) => isChosen(one) && (overrides || one.subflow.peers === 'active'));
  return subflows.map((placed) => {
    const isNeeded = !isInUse && placed.subflow.peers === 'active' && !placed.throughTunnel;
    return subflowPlan(placed, isChosen(placed) || isNeeded ? 'active' : 'backup', overrides);
  });
}

/**
 * Without an active path all subflows are left as they are, except one through the tunnel, which becomes backup. If
 * all subflows are backup, the scheduler uses all of them, also that one. So if no other is active for both sides, the
 * others become active.
 */
function planUnchanged(subflows: readonly PlacedSubflow[]): SubflowPlan[] {
  const hasTunnelled = subflows.some(({ throughTunnel }) => throughTunnel);
  const hasActive = subflows.some(
    ({ subflow, throughTunnel }) => !throughTunnel && subflow.ours === 'active' && subflow.peers === 'active',
  );
  const others = hasTunnelled && !hasActive ? 'active' : undefined;
  return subflows.map((placed) => subflowPlan(placed, placed.throughTunnel ? 'backup' : others));
}

/** @param overrides whether the rule overrides a peer that asks for backup. */
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

/** What must be set so that the subflows are as planned: the active ones first. */
function priorityChanges(connection: Connection, subflows: readonly SubflowPlan[]): PriorityChange[] {
  const unsatisfied = subflows.filter(({ asWished }) => !asWished);
  return (['active', 'backup'] as const).flatMap((priority) =>
    unsatisfied
      .filter(({ wished }) => wished === priority)
      .map(({ subflow: { local, remote }, overridePeer }) => ({
        name: { pid: connection.pid, connection: connection.remote, local, remote },
        priority,
        ...(overridePeer && { overridePeer }),
      })),
  );
}

function stateOf(
  { rule, placed }: PlacedSession,
  active: readonly string[],
  { isElsewhere }: UsablePaths,
  wishes: readonly PriorityChange[],
): SessionState {
  if (placed.length === 0) return 'no-subflow';
  if (active.length > 0 && wishes.length > 0) return 'pending';
  if (active.length > 0) return isElsewhere ? 'elsewhere' : 'obeyed';
  return wantedPaths(rule).length > 0 ? 'absent' : 'unruled';
}
