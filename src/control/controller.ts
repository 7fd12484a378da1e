import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../backend/backend.js';
import type { Config } from '../config/config.js';
import { formatEndpoint } from '../model/endpoint.js';
import { Pace } from '../util/pace.js';
import type { AnySession, Session, SessionWithoutPort } from '../model/session.js';
import { NO_GUIDANCE, NO_MODES, stepModes, type Guidance, type ModesState } from '../steering/modes.js';
import { placeSessions, sessionKey, type PlacedSession } from '../steering/placed-session.js';
import { planSessions, type Plan, type SessionPlan } from '../steering/plan.js';
import type { Overrides } from '../steering/rule.js';
import { apply, type AppliedWish } from './apply.js';
import { observe } from './observe.js';
import { PAUSES } from './pauses.js';
import { subflowLimits } from './subflow-limits.js';

/** A change of a session's primary that was committed and seen to hold. */
export interface Switch {
  readonly session: Session;
  /** Absent: no one path was primary before. */
  readonly from?: string;
  readonly to: string;
  /** Unix time, milliseconds, of the last commit. */
  readonly committedAt: number;
  /** Why `to` is primary, one line. */
  readonly reason: string;
  /** The section of the rule, or `override`. */
  readonly by: string;
  /** Whether the client was asked to follow (MP_PRIO). */
  readonly peerNotified: boolean;
}

/** What was last tried to be written for a session. */
export interface Written {
  /** Unix time, milliseconds. */
  readonly at: number;
  readonly wishes: readonly AppliedWish[];
}

export interface ControllerMap {
  switch: [Switch];
  /** Priorities of one session were set: what came of each. */
  applied: [readonly AppliedWish[]];
  /** A round has ended: the plan as it verified it. */
  round: [Plan];
  /** A session stands differently to its rule than before. */
  session: [SessionPlan];
  /** The sessions of whom the last look shows no connection; told each round while there are any, and once when not. */
  missing: [readonly AnySession[]];
  /** Something could not be seen or set; told once until it is gone. */
  problem: [string];
}

/** What the controller needs of the world; all of it can change between two rounds. */
export interface ControllerInputs {
  readonly backend: Backend;
  readonly sessions: () => readonly Session[];
  /** Sessions whose port OpenVPN does not tell. */
  readonly unplaced: () => readonly SessionWithoutPort[];
  /** Processes of the servers, whether or not they have sessions; none unless given. */
  readonly pids?: () => readonly number[];
  readonly config: () => Config;
  readonly overrides: () => Overrides;
}

/** Subflows come in the first moments of a connection: how long, in milliseconds, to look often after a change ... */
const EAGER_FOR_MS = 5_000;
/** ... and how often, then and otherwise. */
const EAGER_MS = 100;
const CALM_MS = 1_000;
/** Longest pause between two rounds while there is news, milliseconds. */
const LONGEST_PAUSE_MS = 250;
/** The loop: observe, plan, apply, verify. One round at a time; news during a round start another right after it. */
export class Controller extends EventEmitter<ControllerMap> {
  readonly #inputs: ControllerInputs;
  #plan: Plan = { sessions: [], paths: [] };
  #modes: ModesState = NO_MODES;
  #guidance: Guidance = NO_GUIDANCE;
  #running = false;
  #round: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #eagerUntil = 0;
  readonly #pace = new Pace();
  /** When the last round ended (`performance.now()`). */
  #endedAt = -Infinity;
  #problems = new Set<string>();
  #missing: readonly AnySession[] = [];
  readonly #written = new Map<string, Written>();

  constructor(inputs: ControllerInputs) {
    super();
    this.#inputs = inputs;
  }

  start(): void {
    this.#running = true;
    void this.refresh();
  }

  /** Stops looking; priorities stay as they are. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** The plan as the last observation verified it. */
  current(): Plan {
    return this.#plan;
  }

  /** What the modes chose in the last round, with times of `performance.now()`. */
  guidance(): Guidance {
    return this.#guidance;
  }

  /** What was last written for a session; undefined: nothing yet. */
  written(session: SessionPlan): Written | undefined {
    return this.#written.get(keyOf(session));
  }

  /** What cannot be seen or set now. */
  problems(): readonly string[] {
    return [...this.#problems];
  }

  /** A round that begins after this call; resolves at its end. Never rejects: see `problem`. */
  async refresh(): Promise<void> {
    this.#eagerUntil = performance.now() + EAGER_FOR_MS;
    if (this.#round) {
      this.#again = true;
      await this.#round;
      // The round that `again` asked for was started by the one that ended, for all who asked meanwhile.
      await this.#round;
      return;
    }
    await this.#start();
  }

  /** A round for whoever shows the plan, unless the last one ended just now. Never rejects: see `problem`. */
  async look(): Promise<void> {
    const fresh = this.#pace.pause({ ...PAUSES.measuring, least: CALM_MS });
    if (performance.now() - this.#endedAt < fresh) return;
    await (this.#round ?? this.#start());
  }

  /** @param pause milliseconds. */
  #start(pause = 0): Promise<void> {
    if (!this.#running) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#round = this.#timed(pause).then(() => {
      this.#round = undefined;
      // while news come all the time, the other half of the time is others'
      if (this.#again) void this.#start(Math.min(this.#pace.ms, LONGEST_PAUSE_MS));
      else this.#schedule();
    });
    return this.#round;
  }

  async #timed(pause: number): Promise<void> {
    if (pause >= 1) await sleep(pause);
    this.#again = false;
    const start = performance.now();
    await this.#once();
    this.#endedAt = performance.now();
    this.#pace.took(this.#endedAt - start);
  }

  #schedule(): void {
    const { sessions, unplaced } = this.#inputs;
    if (!this.#running || sessions().length + unplaced().length === 0) return;
    this.#timer = setTimeout(() => {
      void this.#start();
    }, this.#wait());
  }

  /** Milliseconds until the next round, if nothing happens. */
  #wait(): number {
    const { backend, config } = this.#inputs;
    if (performance.now() < this.#eagerUntil) return this.#pace.pause({ ...PAUSES.eager, least: EAGER_MS });
    const isTold = backend.onChange !== undefined;
    const measures = this.#plan.sessions.some(({ rule }) => rule.mode !== 'active-standby');
    const least = Math.min(CALM_MS, config().steering.interval);
    return this.#pace.pause({ ...PAUSES[isTold && !measures ? 'told' : 'measuring'], least });
  }

  async #once(): Promise<void> {
    const problems = new Set<string>();
    try {
      const config = this.#inputs.config();
      const seen = await this.#observe(config, problems);
      const { state, ...guidance } = stepModes(this.#modes, seen, config, performance.now());
      this.#modes = state;
      this.#guidance = guidance;
      const before = planSessions(seen, guidance);
      const applied = new Map<SessionPlan, readonly AppliedWish[]>();
      let committedAt = 0;
      for (const session of guidance.isDry ? [] : before.sessions) {
        if (session.wishes.length === 0) continue;
        const wishes = await this.#apply(session, problems);
        applied.set(session, wishes);
        this.emit('applied', wishes);
        committedAt = Date.now();
        this.#written.set(keyOf(session), { at: committedAt, wishes });
      }
      const after = applied.size > 0 ? planSessions(await this.#observe(config, problems), guidance) : before;
      this.#tellSessions(after);
      if (!isSameShape(this.#plan, after)) this.#eagerUntil = performance.now() + EAGER_FOR_MS;
      this.#plan = after;
      this.#tellApplied(applied, after, committedAt, problems);
      this.#forgetWritten(after);
      this.emit('round', after);
    } catch (error) {
      problems.add(`a round failed: ${(error as Error).message}`);
    }
    for (const problem of problems) if (!this.#problems.has(problem)) this.emit('problem', problem);
    this.#problems = problems;
  }

  /** What fails for one session leaves the others alone. */
  async #apply(session: SessionPlan, problems: Set<string>): Promise<readonly AppliedWish[]> {
    try {
      return await apply(this.#inputs.backend, session);
    } catch (error) {
      problems.add(`${session.session.commonName}: nothing could be set: ${(error as Error).message}`);
      return [];
    }
  }

  async #observe(config: Config, problems: Set<string>): Promise<PlacedSession[]> {
    const { backend, sessions, unplaced, overrides, pids } = this.#inputs;
    const idle = backend.limitSubflows ? (pids?.() ?? []) : [];
    const observation = await observe(backend, sessions(), unplaced(), idle);
    backend.limitSubflows?.(subflowLimits(config, observation.claimed));
    const { missing } = observation;
    if (missing.length + this.#missing.length > 0) this.emit('missing', missing);
    this.#missing = missing;
    for (const problem of observation.problems) problems.add(problem);
    return placeSessions(observation.snapshot, config, overrides());
  }

  #tellApplied(
    applied: ReadonlyMap<SessionPlan, readonly AppliedWish[]>,
    after: Plan,
    committedAt: number,
    problems: Set<string>,
  ): void {
    if (applied.size === 0) return;
    const now = new Map(after.sessions.map((session) => [keyOf(session), session]));
    for (const [before, wishes] of applied) {
      const { session, current: from } = before;
      for (const { wish, result } of wishes) {
        if (result.outcome !== 'refused') continue;
        problems.add(
          `${session.commonName}: ${formatEndpoint(wish.name.remote)} cannot be made ${wish.priority}: ${result.reason ?? 'refused'}`,
        );
      }
      const reached = now.get(keyOf(before));
      if (reached?.state !== 'obeyed' || reached.primary === undefined || reached.primary === from) continue;
      const to = reached.primary;
      const peerNotified = wishes.every(({ result }) => result.peerAsked || result.outcome === 'unchanged');
      const { reason, rule } = reached;
      this.emit('switch', {
        session,
        ...(from !== undefined && { from }),
        to,
        committedAt,
        reason,
        by: rule.section,
        peerNotified,
      });
    }
  }

  #tellSessions(after: Plan): void {
    const before = new Map(this.#plan.sessions.map((session) => [keyOf(session), session]));
    for (const session of after.sessions) {
      if (!isSameStory(before.get(keyOf(session)), session)) this.emit('session', session);
    }
  }

  #forgetWritten({ sessions }: Plan): void {
    if (this.#written.size === 0) return;
    const there = new Set(sessions.map(keyOf));
    for (const key of this.#written.keys()) if (!there.has(key)) this.#written.delete(key);
  }
}

function keyOf({ session }: SessionPlan): string {
  return sessionKey(session);
}

function isSameStory(one: SessionPlan | undefined, other: SessionPlan): boolean {
  return one?.state === other.state && one.reason === other.reason && one.primary === other.primary;
}

/** Whether no subflow came or went, which makes others likely. */
function isSameShape(one: Plan, other: Plan): boolean {
  return (
    one.sessions.length === other.sessions.length &&
    one.sessions.every((session, index) => {
      const now = other.sessions[index];
      return (
        now !== undefined &&
        keyOf(session) === keyOf(now) &&
        session.subflows.length === now.subflows.length &&
        session.subflows.every(({ subflow: { remote } }, at) => {
          const end = now.subflows[at]?.subflow.remote;
          return remote.port === end?.port && remote.address === end.address;
        })
      );
    })
  );
}
