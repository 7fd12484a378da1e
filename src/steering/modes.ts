import type { Config } from '../config/config.js';
import type { Mode } from '../model/mode.js';
import { choicesOf, type Choice, type Choices } from './choice.js';
import { meter, metersOf, NO_METER, type Meter } from './measure/meter.js';
import { meterPaths, pathLoads, type PathMeters } from './measure/path-load.js';
import { type PathLoad } from '../model/path-load.js';
import { sessionKey, type PlacedSession } from './placed-session.js';
import { NO_PLACEMENT, place, type Candidate, type Placement } from './balancer/placement.js';
import { priorityBased } from './modes/priority-based.js';
import { addRate, NO_RATE, type Rate } from '../model/rate.js';
import { smallestDelay, type DelayChoice } from './modes/smallest-delay.js';
import { currentPrimary } from './subflows.js';

type ModeChoice = DelayChoice & { readonly mode: Mode };

/** What modes keep from one round to the next: plain data, which comes back by itself when it is lost. */
export interface ModesState {
  readonly meter: Meter;
  readonly paths: PathMeters;
  readonly placement: Placement;
  /** Of the other modes, by {@link sessionKey}. */
  readonly choices: ReadonlyMap<string, ModeChoice>;
}

export const NO_MODES: ModesState = {
  meter: NO_METER,
  paths: new Map(),
  placement: NO_PLACEMENT,
  choices: new Map(),
};

/** What modes chose, and what they saw. */
export interface Guidance {
  /** Nothing is to be set. */
  readonly isDry: boolean;
  /** Of all modes but `active-standby`, whose choice is in the plan alone. */
  readonly choices: Choices;
  /** In the order of the config. */
  readonly loads: readonly PathLoad[];
  /** By {@link sessionKey}: what each session uses, bit/s; absent where it is not known yet. */
  readonly rates: ReadonlyMap<string, Rate>;
}

export const NO_GUIDANCE: Guidance = {
  isDry: false,
  choices: new Map(),
  loads: [],
  rates: new Map(),
};

/**
 * One step: measures what there is, and lets each session's mode choose its paths.
 * @param now milliseconds of a clock that is never set.
 */
export function stepModes(
  before: ModesState,
  sessions: readonly PlacedSession[],
  config: Pick<Config, 'paths' | 'steering'>,
  now: number,
): Guidance & { readonly state: ModesState } {
  const measured = meter(before.meter, sessions, now);
  const paths = meterPaths(before.paths, config.paths, before.meter, measured);
  const loads = pathLoads(paths, config.paths);
  const byName = new Map(loads.map((load) => [load.name, load]));
  const { dwell } = config.steering;
  const fixed = new Map<string, Rate>();
  const candidates: Candidate[] = [];
  const chosen = new Map<string, ModeChoice>();
  for (const one of sessions) {
    const key = sessionKey(one.session);
    const { mode } = one.rule;
    const meters = metersOf(measured, one);
    const rate = measured.sessions.get(key) ?? NO_RATE;
    const [first, ...others] = choicesOf(one);
    const choices = first === undefined ? undefined : ([first, ...others] as const);
    const current = currentPrimary(one.placed);
    if (choices && mode === 'balance') {
      candidates.push({ key, rule: one.rule, choices, current, rate });
      continue;
    }
    for (const { path = '', rate = NO_RATE } of meters) {
      fixed.set(path, addRate(fixed.get(path) ?? NO_RATE, rate));
    }
    if (!choices || mode === 'balance' || mode === 'active-standby') continue;
    const known = before.choices.get(key);
    const earlier = known?.mode === mode ? known : undefined;
    const choice =
      mode === 'smallest-delay'
        ? smallestDelay(earlier, { choices, meters, current, now, dwell })
        : mode === 'priority-based'
          ? priorityBased(earlier, { choices, meters, loads: byName, now, dwell })
          : { active: choices, since: earlier?.since ?? now };
    chosen.set(key, { moves: 0, ...choice, mode });
  }
  const step = { candidates, loads, fixed, steering: config.steering, now };
  const placement = place(before.placement, step);
  return {
    state: { meter: measured, paths, placement, choices: chosen },
    choices: new Map<string, Choice>([...chosen, ...placed(placement)]),
    isDry: config.steering.dryRun,
    loads,
    rates: measured.sessions,
  };
}

function placed({ places }: Placement): (readonly [string, Choice])[] {
  return [...places].filter(([, { active }]) => active.length > 0);
}
