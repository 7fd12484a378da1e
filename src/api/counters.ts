import type { AppliedChange } from '../control/apply.js';
import type { Plan } from '../steering/plan.js';
import type { DaemonEvent, EventStream } from './events.js';
import { RoundChanges, type Transferred } from './round-changes.js';

/** Counts since the daemon started. They only grow. Plain data, as `status --json` prints it. */
export interface CounterValues {
  /** Unix time at which counting began, milliseconds. */
  readonly since: number;
  /** Rounds: observe, plan, apply, verify. */
  readonly rounds: number;
  /** Sessions that appeared, also those of the first round. */
  readonly sessions: number;
  readonly subflows: {
    /** Subflows that appeared, also those of the first round. */
    readonly added: number;
    /** Subflows that disappeared. */
    readonly removed: number;
    /** Subflows that were closed because their connection had more than its limit. */
    readonly closedAboveLimit: number;
  };
  /** Switches of a client's primary path that a later observation confirmed. */
  readonly switches: number;
  /** Clients that were disconnected, so that they come back with all their paths. */
  readonly rejoins: number;
  /** Attempts to set a priority, by their result. */
  readonly priorityChanges: Readonly<Record<AppliedChange['result']['outcome'], number>>;
  /** Overrides that were set or removed. */
  readonly overrides: number;
  /** Changed configs that came into force. */
  readonly configs: number;
  /** How often a changed config had mistakes and was refused. */
  readonly configMistakes: number;
  /** Orders: commands of console clients that change OpenVPN for everybody. */
  readonly orders: number;
  /** Reports of wrong passwords on TCP. One report can be about several attempts. */
  readonly wrongPasswords: number;
  /** Problems that were reported, lasting ones and those that happened once. */
  readonly problems: number;
  /** By path: what its subflows carried. */
  readonly paths: Readonly<Record<string, Transferred>>;
}

/** The same counts, which can be increased. */
type Counted = { -readonly [Key in keyof CounterValues]: CounterValues[Key] };

/** Which counter each kind of event increases by one; `undefined`: none, or counters that `#count` increases. */
const COUNTER_OF_EVENT = {
  ready: undefined,
  stopped: undefined,
  switch: 'switches',
  session: undefined,
  subflow: undefined,
  rejoin: 'rejoins',
  'excess-subflows': undefined,
  config: 'configs',
  'config-mistake': 'configMistakes',
  override: 'overrides',
  order: 'orders',
  'wrong-password': 'wrongPasswords',
  problem: 'problems',
  resolved: undefined,
} as const satisfies Readonly<Record<DaemonEvent['kind'], keyof CounterValues | undefined>>;

/** Counts what the daemon does and observes, from its events and its rounds. */
export class Counters {
  readonly #counted: Omit<Counted, 'paths' | 'subflows' | 'priorityChanges'>;
  readonly #subflows = { added: 0, removed: 0, closedAboveLimit: 0 };
  readonly #priorityChanges = { committed: 0, unchanged: 0, gone: 0, refused: 0 };
  readonly #paths = new Map<string, { down: number; up: number }>();
  readonly #rounds: RoundChanges;

  /**
   * @param events the events to count. A `subflow` event is published there for each subflow that differs from the last
   * round.
   * @param now Unix time, milliseconds.
   */
  constructor(events: EventStream, now: number) {
    this.#counted = {
      since: now,
      rounds: 0,
      sessions: 0,
      switches: 0,
      rejoins: 0,
      overrides: 0,
      configs: 0,
      configMistakes: 0,
      orders: 0,
      wrongPasswords: 0,
      problems: 0,
    };
    events.subscribe((event) => {
      this.#count(event);
    });
    this.#rounds = new RoundChanges({
      onSession: () => {
        this.#counted.sessions += 1;
      },
      onSubflow: (event) => {
        events.publish(event);
      },
      onTransfer: (path, transferred) => {
        this.#transfer(path, transferred);
      },
    });
  }

  /** Counts a round, and what differs from the round before. */
  addRound(plan: Plan): void {
    this.#counted.rounds += 1;
    this.#rounds.compareRound(plan);
  }

  /** Counts attempts to set priorities. */
  addChanges(applied: readonly AppliedChange[]): void {
    for (const { result } of applied) this.#priorityChanges[result.outcome] += 1;
  }

  /** A copy of the present counts. */
  values(): CounterValues {
    return {
      ...this.#counted,
      subflows: { ...this.#subflows },
      priorityChanges: { ...this.#priorityChanges },
      paths: Object.fromEntries([...this.#paths].map(([path, sums]) => [path, { ...sums }])),
    };
  }

  #count(event: DaemonEvent): void {
    const counter = COUNTER_OF_EVENT[event.kind];
    if (counter !== undefined) this.#counted[counter] += 1;
    if (event.kind === 'subflow' && event.change !== 'changed') this.#subflows[event.change] += 1;
    if (event.kind === 'excess-subflows') this.#subflows.closedAboveLimit += event.closed;
  }

  /** Adds what a path has carried. */
  #transfer(path: string, { down, up }: Transferred): void {
    const sums = this.#paths.get(path);
    if (sums === undefined) this.#paths.set(path, { down, up });
    else {
      sums.down += down;
      sums.up += up;
    }
  }
}
