import { formatEndpoint, isSameFourTuple } from '../model/endpoint.js';
import type { Subflow } from '../model/subflow.js';
import { sessionKey } from '../steering/placed-session.js';
import type { Plan, SessionPlan, SubflowPlan } from '../steering/plan.js';
import type { SubflowEvent } from './events.js';

/** TCP payload, bytes, in both directions as the client sees them: `down` is what it received. */
export interface Transferred {
  readonly down: number;
  readonly up: number;
}

/** Receives the changes from one round to the next. */
export interface RoundListener {
  /** Called for each session that the round before did not have. */
  readonly onSession: () => void;
  /** Called for each subflow that was added, removed or changed. */
  readonly onSubflow: (event: SubflowEvent) => void;
  /** Called if a subflow on this path has carried more data. */
  readonly onTransfer: (path: string, transferred: Transferred) => void;
}

/**
 * Compares each round with the one before. A backend returns the same object for a subflow while nothing in it changes. So
 * comparing objects is enough to find unchanged subflows, and a round without changes costs little.
 */
export class RoundChanges {
  /** The sessions of the last round by {@link sessionKey}; undefined before the first round. */
  #before: ReadonlyMap<string, SessionPlan> | undefined;

  constructor(private readonly listener: RoundListener) {}

  /** Compares a round with the one before, and calls the listener. */
  compareRound({ sessions }: Pick<Plan, 'sessions'>): void {
    const now = new Map(sessions.map((session) => [sessionKey(session.session), session]));
    const isFirst = this.#before === undefined;
    const before = this.#before ?? new Map<string, SessionPlan>();
    this.#before = now;
    for (const [key, session] of now) {
      const last = before.get(key);
      if (last === undefined) this.listener.onSession();
      this.#compareSubflows(session, last?.subflows ?? [], session.subflows, isFirst);
    }
    for (const [key, session] of before)
      if (!now.has(key)) this.#compareSubflows(session, session.subflows, [], false);
  }

  /** @param isFirst whether this is the first round of the daemon. */
  #compareSubflows(
    session: SessionPlan,
    before: readonly SubflowPlan[],
    now: readonly SubflowPlan[],
    isFirst: boolean,
  ): void {
    // the usual case, in which no identities have to be made
    if (
      before.length === now.length &&
      now.every((subflow, index) => isSameSubflow(subflow, before[index]))
    ) {
      for (const [index, subflow] of now.entries()) this.#compareSubflow(session, before[index], subflow);
      return;
    }
    const remaining = new Map(before.map((subflow) => [idOf(subflow), subflow]));
    for (const subflow of now) {
      const id = idOf(subflow);
      const earlier = remaining.get(id);
      remaining.delete(id);
      // Traffic of a subflow before the first round of the daemon is not counted.
      if (earlier !== undefined || !isFirst) this.#compareSubflow(session, earlier, subflow);
      if (!earlier) this.listener.onSubflow(eventOf(session, subflow, 'added'));
    }
    for (const subflow of remaining.values()) this.listener.onSubflow(eventOf(session, subflow, 'removed'));
  }

  /** Reports what a subflow has carried, and what changed in it. */
  #compareSubflow(session: SessionPlan, before: SubflowPlan | undefined, now: SubflowPlan): void {
    if (before?.subflow !== now.subflow && now.path !== undefined) {
      const transferred = {
        down: increase(before?.subflow, now.subflow, 'bytesAcked'),
        up: increase(before?.subflow, now.subflow, 'bytesReceived'),
      };
      if (transferred.down + transferred.up > 0) this.listener.onTransfer(now.path, transferred);
    }
    if (before && !isSameInEvent(before, now)) this.listener.onSubflow(eventOf(session, now, 'changed'));
  }
}

/** By how many bytes a counter has increased. */
function increase(
  before: Subflow | undefined,
  now: Subflow,
  counter: 'bytesAcked' | 'bytesReceived',
): number {
  return Math.max(0, (now[counter] ?? 0) - (before?.[counter] ?? 0));
}

/** Whether both are the same TCP connection. */
function isSameSubflow(one: SubflowPlan, other: SubflowPlan | undefined): boolean {
  return other !== undefined && isSameFourTuple(one.subflow, other.subflow);
}

/** Whether two states of a subflow are the same in all members of a `changed` event. */
function isSameInEvent(one: SubflowPlan, other: SubflowPlan): boolean {
  return (
    one.path === other.path &&
    one.throughTunnel === other.throughTunnel &&
    one.subflow.ours === other.subflow.ours &&
    one.subflow.peers === other.subflow.peers
  );
}

/** The identity of a subflow: its four-tuple. */
function idOf({ subflow: { local, remote } }: SubflowPlan): string {
  return `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
}

function eventOf(
  { session: { server, commonName } }: SessionPlan,
  { subflow: { remote, ours, peers }, path, throughTunnel }: SubflowPlan,
  change: SubflowEvent['change'],
): SubflowEvent {
  return {
    kind: 'subflow',
    change,
    server,
    commonName,
    ...(path !== undefined && { path }),
    throughTunnel,
    remote,
    ours,
    peers,
  };
}
