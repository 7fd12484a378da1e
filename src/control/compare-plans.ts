import { formatEndpoint, isSameEndpoint } from '../model/endpoint.js';
import type { Session } from '../model/session.js';
import { sessionKey } from '../steering/placed-session.js';
import type { Plan, SessionPlan } from '../steering/plan.js';
import type { AppliedChange } from './apply.js';

/** A change of a session's primary path that was committed and that the next observation confirmed. */
export interface Switch {
  readonly session: Session;
  /** Absent: no single path was primary before. */
  readonly from?: string;
  readonly to: string;
  /** Unix time, milliseconds, of the last commit. */
  readonly committedAt: number;
  /** Why `to` is primary, one line. */
  readonly reason: string;
  /** The rule that asked for it: `[client GLOB]`, `[default]`, or `override` for an admin's command. */
  readonly by: string;
  /** Whether the client was asked to follow (MP_PRIO). */
  readonly peerNotified: boolean;
}

/** The priority changes of one round, by the plan of each session before them. */
export type AppliedChanges = ReadonlyMap<SessionPlan, readonly AppliedChange[]>;

/** The key of a plan's session: the same in all rounds. */
export function keyOf({ session }: SessionPlan): string {
  return sessionKey(session);
}

/**
 * The switches that these changes caused.
 * @param after the plan of the observation after the changes.
 * @param primaries by {@link keyOf}: the path that was last the only one to be primary. A subflow that joins makes two paths
 * active for a moment, and when it becomes backup, no traffic has moved.
 */
export function findSwitches(
  applied: AppliedChanges,
  after: Plan,
  committedAt: number,
  primaries: ReadonlyMap<string, string>,
): readonly Switch[] {
  if (applied.size === 0) return [];
  const plans = new Map(after.sessions.map((session) => [keyOf(session), session]));
  const switches: Switch[] = [];
  for (const [before, changes] of applied) {
    const { session } = before;
    const from = before.current ?? primaries.get(keyOf(before));
    const reached = plans.get(keyOf(before));
    const isReached = reached?.state === 'obeyed' || reached?.state === 'elsewhere';
    if (!isReached || reached.primary === undefined || reached.primary === from) continue;
    if (from === undefined && hasBegunOn(reached.primary, before)) continue;
    switches.push({
      session,
      ...(from !== undefined && { from }),
      to: reached.primary,
      committedAt,
      reason: reached.reason,
      by: reached.rule.section,
      peerNotified: changes.every(({ result }) => result.isMpPrioRequested || result.outcome === 'unchanged'),
    });
  }
  return switches;
}

/**
 * Whether the connection began on this path, and no other one carried anything lately. A client opens its second subflow so
 * soon that the first observation may find both active. When the second one becomes backup, no traffic moves.
 */
function hasBegunOn(path: string, { connection, subflows, carriedOn }: SessionPlan): boolean {
  const first = subflows.find(
    ({ subflow }) => connection !== undefined && isSameEndpoint(subflow.remote, connection.remote),
  );
  return first?.path === path && carriedOn.every((other) => other === path);
}

/** A problem for each change that the backend refused, one sentence each. */
export function describeRefusals(applied: AppliedChanges): readonly string[] {
  return [...applied].flatMap(([{ session }, changes]) =>
    changes
      .filter(({ result }) => result.outcome === 'refused')
      .map(
        ({ change, result }) =>
          `${session.commonName}: ${formatEndpoint(change.name.remote)} cannot be made ${change.priority}: ${result.reason ?? 'refused'}`,
      ),
  );
}

/** A problem for each client whose connection has lost its last subflow, one sentence each. */
export function describeLostClients({ sessions }: Plan): readonly string[] {
  return sessions
    .filter(({ state }) => state === 'no-subflow')
    .map(
      ({ session }) =>
        `${session.commonName}: no subflow is left, so its tunnel stands still until it reconnects; something on its ` +
        'way, such as a NAT that forgot the connection, has closed all of them',
    );
}

/** The sessions that are new, or have another state, reason or primary path than before. */
export function findChangedSessions(before: Plan, after: Plan): readonly SessionPlan[] {
  const last = new Map(before.sessions.map((session) => [keyOf(session), session]));
  return after.sessions.filter((session) => !sameReport(last.get(keyOf(session)), session));
}

function sameReport(one: SessionPlan | undefined, other: SessionPlan): boolean {
  return one?.state === other.state && one.reason === other.reason && one.primary === other.primary;
}

/** Whether no subflow was added or removed. After such a change, more are likely. */
export function hasSameSubflows(before: Plan, after: Plan): boolean {
  return (
    before.sessions.length === after.sessions.length &&
    before.sessions.every((session, index) => {
      const now = after.sessions[index];
      return (
        now !== undefined &&
        keyOf(session) === keyOf(now) &&
        session.subflows.length === now.subflows.length &&
        session.subflows.every(({ subflow: { remote } }, at) => {
          const other = now.subflows[at]?.subflow.remote;
          return other !== undefined && isSameEndpoint(remote, other);
        })
      );
    })
  );
}
