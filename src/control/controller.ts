import { EventEmitter } from 'node:events';
import type { Backend } from '../backend/backend.js';
import type { Config } from '../config/config.js';
import { formatEndpoint } from '../endpoint.js';
import type { UnplacedSession } from '../openvpn/server.js';
import type { Session } from '../openvpn/session.js';
import { NO_GUIDANCE, NO_MODES, stepModes, type Guidance, type ModesState } from '../steering/modes.js';
import { placeSessions, sessionKey, type PlacedSession } from '../steering/placed-session.js';
import { planSessions, type Plan, type SessionPlan } from '../steering/plan.js';
import type { Overrides } from '../steering/rule.js';
import { apply, type AppliedWish } from './apply.js';
import { observe } from './observe.js';

/** A change of a session's primary that was committed and seen to hold. */
export interface Switch {
  readonly session: Session;
  /** Absent: no one path was primary before. */
  readonly from?: string;
  readonly to: string;
  /** Unix time, milliseconds, of the last commit. */
  readonly committedAt: number;
  readonly peerTold: boolean;
}

/** What was last tried to be written for a session. */
export interface Written {
  /** Unix time, milliseconds. */
  readonly at: number;
  readonly wishes: readonly AppliedWish[];
}

export interface ControllerMap {
  switch: [Switch];
  /** A round has ended: the plan as it verified it. */
  round: [Plan];
  /** A session stands differently to its rule than before. */
  session: [SessionPlan];
  /** Something could not be seen or set; told once until it is gone. */
  problem: [string];
}

/** What the controller needs of the world; all of it can change between two rounds. */
export interface ControllerInputs {
  readonly backend: Backend;
  readonly sessions: () => readonly Session[];
  /** Sessions whose port OpenVPN does not tell. */
  readonly unplaced: () => readonly UnplacedSession[];
  readonly config: () => Config;
  readonly overrides: () => Overrides;
}

/** Subflows come in the first moments of a connection: how long, in milliseconds, to look often after a change ... */
const EAGER_FOR_MS = 5_000;
/** ... and how often, then and otherwise. */
const EAGER_MS = 100;
const CALM_MS = 1_000;

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
  #problems = new Set<string>();
  #shape = '';
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

  #start(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#again = false;
    this.#round = this.#once().then(() => {
      this.#round = undefined;
      if (this.#again) void this.#start();
      else this.#schedule();
    });
    return this.#round;
  }

  #schedule(): void {
    const { sessions, unplaced } = this.#inputs;
    if (!this.#running || sessions().length + unplaced().length === 0) return;
    const calm = Math.min(CALM_MS, this.#inputs.config().steering.interval);
    const wait = performance.now() < this.#eagerUntil ? EAGER_MS : calm;
    this.#timer = setTimeout(() => {
      void this.#start();
    }, wait);
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
        const wishes = await apply(this.#inputs.backend, session);
        applied.set(session, wishes);
        committedAt = Date.now();
        this.#written.set(keyOf(session), { at: committedAt, wishes });
      }
      const after = applied.size > 0 ? planSessions(await this.#observe(config, problems), guidance) : before;
      this.#tellSessions(after);
      this.#plan = after;
      this.#tellApplied(applied, after, committedAt, problems);
      this.#noticeShape(after);
      this.#forgetWritten(after);
      this.emit('round', after);
    } catch (error) {
      problems.add(`a round failed: ${(error as Error).message}`);
    }
    for (const problem of problems) if (!this.#problems.has(problem)) this.emit('problem', problem);
    this.#problems = problems;
  }

  async #observe(config: Config, problems: Set<string>): Promise<PlacedSession[]> {
    const { backend, sessions, unplaced, overrides } = this.#inputs;
    const observation = await observe(backend, sessions(), unplaced());
    for (const problem of observation.problems) problems.add(problem);
    return placeSessions(observation.snapshot, config, overrides());
  }

  #tellApplied(
    applied: ReadonlyMap<SessionPlan, readonly AppliedWish[]>,
    after: Plan,
    committedAt: number,
    problems: Set<string>,
  ): void {
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
      const peerTold = wishes.every(({ result }) => result.peerAsked || result.outcome === 'unchanged');
      this.emit('switch', { session, ...(from !== undefined && { from }), to, committedAt, peerTold });
    }
  }

  #tellSessions(after: Plan): void {
    const before = new Map(this.#plan.sessions.map((session) => [keyOf(session), storyOf(session)]));
    for (const session of after.sessions) {
      if (before.get(keyOf(session)) !== storyOf(session)) this.emit('session', session);
    }
  }

  #forgetWritten({ sessions }: Plan): void {
    const there = new Set(sessions.map(keyOf));
    for (const key of this.#written.keys()) if (!there.has(key)) this.#written.delete(key);
  }

  /** A subflow that came or went makes others likely. */
  #noticeShape({ sessions }: Plan): void {
    const shape = sessions
      .map(
        (session) =>
          `${keyOf(session)} ${session.subflows.map(({ subflow }) => formatEndpoint(subflow.remote)).join(' ')}`,
      )
      .join('\n');
    if (shape !== this.#shape) this.#eagerUntil = performance.now() + EAGER_FOR_MS;
    this.#shape = shape;
  }
}

function keyOf({ session }: SessionPlan): string {
  return sessionKey(session);
}

function storyOf({ state, reason, primary }: SessionPlan): string {
  return `${state} ${reason} ${primary ?? ''}`;
}
