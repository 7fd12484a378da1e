import type { RuleConfig, SteeringConfig } from '../../config/config.js';
import type { PathLoad } from '../../model/path-load.js';
import type { Rate } from '../../model/rate.js';
import type { Choice, Choices, UsablePaths } from '../choice.js';
import type { Guidance } from '../guidance.js';
import type { SubflowMeter } from '../measure/meter.js';
import type { PlacedSession } from '../placed-session.js';
import type { SessionPlan } from '../plan.js';
import type { Rule } from '../rule.js';

/** A session of one mode, in one round. It has a subflow on at least one path that its rule wants. */
export interface ModeSession {
  /** See `sessionKey` in placed-session.ts. */
  readonly key: string;
  readonly rule: Rule;
  /** The paths that it can use, in the order of its rule; see `usablePaths` in choice.ts. */
  readonly choices: readonly [string, ...string[]];
  /** The path that is primary now; undefined: no single path is. */
  readonly current: string | undefined;
  /** The measurements of all its subflows. */
  readonly meters: readonly SubflowMeter[];
  /** What it uses over all its subflows, bit/s. */
  readonly rate: Rate;
  /** How long a time `rate` is an average of, milliseconds. */
  readonly averagedFor: number;
}

/** What a mode knows in one round besides its sessions. */
export interface ModeRound {
  readonly steering: SteeringConfig;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** In the order of the config. */
  readonly loads: readonly PathLoad[];
  /** The same by the path's name. */
  readonly loadByPath: ReadonlyMap<string, PathLoad>;
  /** By the path's name: the total rate of all sessions that this mode does not choose for, bit/s. */
  readonly carriedByOthers: () => ReadonlyMap<string, Rate>;
}

/** What a mode decided in one round. */
export interface ModeStep<State> {
  /** Plain data, which only this mode reads, in the next round. */
  readonly state: State;
  readonly choices: Choices;
}

/** What the explanation of a session is made from. */
export interface Outlook {
  readonly guidance: Guidance;
  readonly steering: SteeringConfig;
  /** Milliseconds of the clock of `guidance`. */
  readonly now: number;
}

/**
 * One mode: how it chooses paths, and its words for `status` and `explain`. All functions are pure.
 *
 * A mode is added by its name and keys in model/mode.ts, a file here, and a line in table.ts.
 */
export interface ModeDefinition<State> {
  /**
   * Whether its step chooses paths, from measurements. Then the controller measures in regular rounds, and a session
   * waits for its first choice. Otherwise `activePaths` alone decides.
   */
  readonly usesMeasurements: boolean;
  /** The state before the first round. When the daemon restarts, a mode begins here again. */
  readonly initial: State;
  /** One round: chooses paths for all sessions of this mode together. */
  step(before: State, sessions: readonly ModeSession[], round: ModeRound): ModeStep<State>;
  /**
   * The paths to make active now: only paths that the session has; empty: the session keeps what it has.
   * @param usable the paths that the session can use now.
   * @param choice what the last step chose for the session; undefined: nothing yet.
   */
  activePaths(
    session: Pick<PlacedSession, 'placed'>,
    usable: UsablePaths,
    choice: Choice | undefined,
  ): readonly string[];
  /** The rule as it is written in the config; undefined if it asks for nothing. */
  ruleText(rule: RuleConfig): string | undefined;
  /** The rule as what follows its section in a sentence of `explain`, e.g. `wants wifi, else lte`. */
  ruleSentence(rule: RuleConfig): string;
  /** What chose the paths, in the reason of a session's plan, e.g. `balance of [default]`. */
  decidedBy(rule: Pick<Rule, 'mode' | 'section'>): string;
  /** What would change the active paths of a session that has subflows, for `explain`, one line each. */
  moveTexts(plan: SessionPlan, outlook: Outlook): string[];
}
