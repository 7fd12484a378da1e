import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../backend/backend.js';
import type { Config } from '../config/config.js';
import { Pace } from '../util/pace.js';
import type { AnySession, Session, SessionWithoutPort } from '../model/session.js';
import {
  NO_GUIDANCE,
  INITIAL_MODES_STATE,
  stepModes,
  type Guidance,
  type ModesState,
} from '../steering/guidance.js';
import { placeSessions, type PlacedSession } from '../steering/placed-session.js';
import { planSessions, type Plan, type SessionPlan } from '../steering/plan.js';
import { NO_ACCOUNTS, type QuotaAccounts } from '../steering/quota.js';
import type { Overrides } from '../steering/rule.js';
import { announcementsOf } from './announcements.js';
import { apply, type AppliedChange } from './apply.js';
import {
  describeLostClients,
  describeRefusals,
  findChangedSessions,
  findSwitches,
  hasSameSubflows,
  keyOf,
  type AppliedChanges,
} from './compare-plans.js';
import { EndedServers } from './ended-servers.js';
import { observe } from './observe.js';
import { PAUSES } from './pauses.js';
import { PendingSwitches, type ReportedSwitch } from './pending-switches.js';
import { subflowLimits } from './subflow-limits.js';
import { watchfulness } from './watchfulness.js';

/** The last attempt to set a session's priorities. */
export interface Written {
  /** Unix time, milliseconds. */
  readonly at: number;
  readonly changes: readonly AppliedChange[];
}

/** The events of a {@link Controller}. */
export interface ControllerMap {
  /** A switch was verified, and it is known whether traffic followed. */
  switch: [ReportedSwitch];
  /** The controller tried to set priorities of one session: each change that was tried, and its result. */
  applied: [readonly AppliedChange[]];
  /** A round ended, with this plan. */
  round: [Plan];
  /** A session has another state, reason or primary path than before. */
  session: [SessionPlan];
  /**
   * Sessions without a connection in the last observation. Emitted in each round while there are any, and once when
   * there are none any more.
   */
  missing: [readonly AnySession[]];
  /** Something could not be observed or set. Each problem is reported once until it is gone. */
  problem: [string];
}

/** What the controller reads in each round. All of it can change between two rounds. */
export interface ControllerInputs {
  readonly backend: Backend;
  readonly sessions: () => readonly Session[];
  /** Sessions whose port OpenVPN does not report. */
  readonly sessionsWithoutPort: () => readonly SessionWithoutPort[];
  /** Processes of all servers, also of those without sessions; default: none. */
  readonly pids?: () => readonly number[];
  readonly config: () => Config;
  readonly overrides: () => Overrides;
  /** What clients with a quota have carried; default: nothing. */
  readonly quotas?: () => QuotaAccounts;
}

/** How long rounds are frequent after a change, milliseconds. Subflows come in the first moments of a connection. */
const FREQUENT_FOR_MS = 5_000;
/** Shortest pause between two rounds during that time, milliseconds. */
const FREQUENT_PAUSE_MS = 100;
/** How old the plan may be that is shown without another round, milliseconds. */
const SHOWN_FOR_MS = 1_000;
/** Longest pause between two rounds if a change was reported during the first, milliseconds. */
const REQUESTED_PAUSE_MS = 250;

/**
 * The loop: observe, plan, apply, verify. It runs one round at a time. A change during a round starts another one after
 * it.
 */
export class Controller extends EventEmitter<ControllerMap> {
  readonly #inputs: ControllerInputs;
  #plan: Plan = { sessions: [], paths: [] };
  #modes: ModesState = INITIAL_MODES_STATE;
  #guidance: Guidance = NO_GUIDANCE;
  #running = false;
  #runningRound: Promise<void> | undefined;
  #isRoundRequested = false;
  #timer: NodeJS.Timeout | undefined;
  #frequentUntil = 0;
  readonly #pace = new Pace();
  readonly #endedServers = new EndedServers();
  /**
   * The same for the processor's time. On a busy machine a round takes long because it waits, and relief must not wait for
   * that.
   */
  readonly #processorPace = new Pace();
  /** When the last round ended (`performance.now()`). */
  #lastRoundEnd = -Infinity;
  #problems = new Set<string>();
  #missing: readonly AnySession[] = [];
  readonly #written = new Map<string, Written>();
  /** By {@link keyOf}: the path that was last the only primary one. */
  #primaries = new Map<string, string>();
  readonly #pendingSwitches = new PendingSwitches();

  constructor(inputs: ControllerInputs) {
    super();
    this.#inputs = inputs;
  }

  /** Starts the loop with a first round. */
  start(): void {
    this.#running = true;
    void this.refresh();
  }

  /** Stops the loop. Priorities stay as they are. Switches that are not reported yet are reported now. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    await this.#runningRound;
    for (const made of this.#pendingSwitches.flush()) this.emit('switch', made);
  }

  /** The plan as the last observation verified it. */
  current(): Plan {
    return this.#plan;
  }

  /** What the modes chose in the last round, with times of `performance.now()`. */
  guidance(): Guidance {
    return this.#guidance;
  }

  /** The last attempt to set a session's priorities; undefined: none yet. */
  written(session: SessionPlan): Written | undefined {
    return this.#written.get(keyOf(session));
  }

  /** What cannot be observed or set now, one sentence each. */
  problems(): readonly string[] {
    return [...this.#problems];
  }

  /** Runs a round that begins after this call, and resolves at its end. Never rejects: see the event `problem`. */
  async refresh(): Promise<void> {
    this.#frequentUntil = performance.now() + FREQUENT_FOR_MS;
    if (this.#runningRound) {
      this.#isRoundRequested = true;
      await this.#runningRound;
      // The end of that round started the requested one, which serves all requests made meanwhile.
      await this.#runningRound;
      return;
    }
    await this.#start();
  }

  /**
   * Runs a round before the plan is shown, unless the last one ended a moment ago. Never rejects: see the event
   * `problem`.
   */
  async observe(): Promise<void> {
    const freshMs = this.#pace.pauseMs({ ...PAUSES.polling, leastMs: SHOWN_FOR_MS });
    if (performance.now() - this.#lastRoundEnd < freshMs) return;
    await (this.#runningRound ?? this.#start());
  }

  #start(pauseMs = 0): Promise<void> {
    if (!this.#running) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#runningRound = this.#runAfterPause(pauseMs).then(() => {
      this.#runningRound = undefined;
      // If changes never stop, rounds take half of the time. The rest of the daemon has the other half.
      if (this.#isRoundRequested) void this.#start(Math.min(this.#pace.durationMs, REQUESTED_PAUSE_MS));
      else this.#schedule();
    });
    return this.#runningRound;
  }

  async #runAfterPause(pauseMs: number): Promise<void> {
    if (pauseMs >= 1) await sleep(pauseMs);
    this.#isRoundRequested = false;
    const start = performance.now();
    const usage = process.cpuUsage();
    await this.#runRound();
    const { user, system } = process.cpuUsage(usage);
    this.#lastRoundEnd = performance.now();
    const durationMs = this.#lastRoundEnd - start;
    this.#pace.addDuration(durationMs);
    this.#processorPace.addDuration(Math.min(durationMs, (user + system) / 1000));
  }

  #schedule(): void {
    const { sessions, sessionsWithoutPort } = this.#inputs;
    if (!this.#running || sessions().length + sessionsWithoutPort().length === 0) return;
    this.#timer = setTimeout(() => {
      void this.#start();
    }, this.#pauseMs());
  }

  /** Milliseconds until the next round if no change is reported. */
  #pauseMs(): number {
    const { backend, config } = this.#inputs;
    if (performance.now() < this.#frequentUntil)
      return this.#pace.pauseMs({ ...PAUSES.afterChange, leastMs: FREQUENT_PAUSE_MS });
    const hasEvents = backend.onChange !== undefined;
    const { isNeeded, isBusy, leastMs } = watchfulness(this.#plan, this.#guidance);
    const pace = isBusy ? this.#processorPace : this.#pace;
    return pace.pauseMs({
      ...PAUSES[hasEvents && !isNeeded ? 'withEvents' : 'polling'],
      leastMs: Math.min(leastMs, config().steering.interval),
    });
  }

  async #runRound(): Promise<void> {
    const problems = new Set<string>();
    try {
      const config = this.#inputs.config();
      const observed = await this.#takeSnapshot(config, problems);
      const { state, ...guidance } = stepModes(this.#modes, observed, config, performance.now());
      this.#modes = state;
      this.#guidance = guidance;
      const before = planSessions(observed, guidance);
      const applied = await this.#apply(guidance.isDryRun ? [] : before.sessions, problems);
      const committedAt = Date.now();
      for (const [session, changes] of applied) {
        this.emit('applied', changes);
        this.#written.set(keyOf(session), { at: committedAt, changes });
      }
      const after =
        applied.size > 0 ? planSessions(await this.#takeSnapshot(config, problems), guidance) : before;
      for (const session of findChangedSessions(this.#plan, after)) this.emit('session', session);
      if (!hasSameSubflows(this.#plan, after)) this.#frequentUntil = performance.now() + FREQUENT_FOR_MS;
      this.#plan = after;
      for (const text of describeRefusals(applied)) problems.add(text);
      const made = findSwitches(applied, after, committedAt, this.#primaries);
      // The first bytes on a new path come soon.
      if (made.length > 0) this.#frequentUntil = performance.now() + FREQUENT_FOR_MS;
      for (const one of this.#pendingSwitches.update(made, after, Date.now())) this.emit('switch', one);
      this.#storePrimaries(after);
      for (const text of describeLostClients(after)) problems.add(text);
      this.#forgetWritten(after);
      this.emit('round', after);
    } catch (error) {
      problems.add(`a round failed: ${(error as Error).message}`);
    }
    for (const problem of problems) if (!this.#problems.has(problem)) this.emit('problem', problem);
    this.#problems = problems;
  }

  /** If this fails, it is a problem, and the round still ends. */
  async #apply(plans: readonly SessionPlan[], problems: Set<string>): Promise<AppliedChanges> {
    try {
      return await apply(this.#inputs.backend, plans);
    } catch (error) {
      problems.add(`no priority could be set: ${(error as Error).message}`);
      return new Map();
    }
  }

  async #takeSnapshot(config: Config, problems: Set<string>): Promise<PlacedSession[]> {
    const { backend, sessions, sessionsWithoutPort, overrides, quotas, pids } = this.#inputs;
    // The backend limits the subflows of servers that it observes. So servers without a session are observed too.
    const allPids = backend.limitSubflows ? (pids?.() ?? []) : [];
    const observation = await observe(backend, sessions(), sessionsWithoutPort(), allPids);
    backend.limitSubflows?.(subflowLimits(config, observation.claimed));
    for (const problem of backend.announce?.(announcementsOf(config.servers, observation.snapshot)) ?? [])
      problems.add(problem);
    const { missing } = observation;
    if (missing.length + this.#missing.length > 0) this.emit('missing', missing);
    this.#missing = missing;
    for (const problem of observation.problems) problems.add(problem);
    for (const text of this.#endedServers.update(observation.ended, performance.now())) problems.add(text);
    return placeSessions(observation.snapshot, config, overrides(), quotas?.() ?? NO_ACCOUNTS);
  }

  #storePrimaries({ sessions }: Plan): void {
    this.#primaries = new Map(
      sessions.flatMap((session) => {
        const key = keyOf(session);
        const primary = session.current ?? this.#primaries.get(key);
        return primary === undefined ? [] : [[key, primary] as const];
      }),
    );
  }

  /** Drops the attempts of sessions that have ended. */
  #forgetWritten({ sessions }: Plan): void {
    if (this.#written.size === 0) return;
    const present = new Set(sessions.map(keyOf));
    for (const key of this.#written.keys()) if (!present.has(key)) this.#written.delete(key);
  }
}
