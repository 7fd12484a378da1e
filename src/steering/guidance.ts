import type { Config } from '../config/config.js';
import { MODES, type Mode } from '../model/mode.js';
import type { PathLoad } from '../model/path-load.js';
import { addRate, NO_RATE, type Rate } from '../model/rate.js';
import { choicesOf, type Choices } from './choice.js';
import { measureSessions, metersOf, NO_METER, type Meter, type SubflowMeter } from './measure/meter.js';
import { measurePaths, pathLoads, type PathMeters } from './measure/path-load.js';
import type { ModeSession, ModeStep } from './modes/definition.js';
import { MODE_TABLE, type ModeStates } from './modes/table.js';
import { sessionKey, type PlacedSession } from './placed-session.js';
import { currentPrimary } from './subflows.js';

/** What steering keeps from one round to the next: plain data. After a restart it is measured and chosen again. */
export interface ModesState {
  readonly meter: Meter;
  readonly paths: PathMeters;
  readonly modes: ModeStates;
}

/** The state before the first round. */
export const INITIAL_MODES_STATE: ModesState = {
  meter: NO_METER,
  paths: new Map(),
  modes: Object.fromEntries(MODES.map((mode) => [mode, MODE_TABLE[mode].initial])) as ModeStates,
};

/** What modes chose, and what they chose it from. */
export interface Guidance {
  /** Whether no priority may be set. */
  readonly isDryRun: boolean;
  /** Of the modes that choose in steps; `active-standby` has none here. */
  readonly choices: Choices;
  /** In the order of the config. */
  readonly loads: readonly PathLoad[];
  /** By {@link sessionKey}: what each session uses, bit/s; absent where it is not known yet. */
  readonly rates: ReadonlyMap<string, Rate>;
}

/** The guidance without measurements: each mode that needs them has chosen nothing. */
export const NO_GUIDANCE: Guidance = {
  isDryRun: false,
  choices: new Map(),
  loads: [],
  rates: new Map(),
};

/** A session with its measurements. */
interface MeasuredSession {
  readonly mode: Mode;
  readonly meters: readonly SubflowMeter[];
  /** What its mode receives; undefined: the session has no path that its rule wants, so there is nothing to choose. */
  readonly forMode: ModeSession | undefined;
}

/**
 * One round: measures all sessions, and lets the mode of each choose its paths.
 * @param now milliseconds of a monotonic clock.
 */
export function stepModes(
  before: ModesState,
  sessions: readonly PlacedSession[],
  config: Pick<Config, 'paths' | 'steering'>,
  now: number,
): Guidance & { readonly state: ModesState } {
  const { steering } = config;
  const measured = measureSessions(before.meter, sessions, now);
  const paths = measurePaths(before.paths, config.paths, before.meter, measured);
  const loads = pathLoads(paths, config.paths);
  const loadByPath = new Map(loads.map((load) => [load.name, load]));
  const all = sessions.map((session) => measuredSession(session, measured));
  const byMode = new Map<Mode, ModeSession[]>(MODES.map((mode) => [mode, []]));
  for (const { mode, forMode } of all) if (forMode) byMode.get(mode)?.push(forMode);
  const step = <M extends Mode>(mode: M): ModeStep<ModeStates[M]> =>
    MODE_TABLE[mode].step(before.modes[mode], byMode.get(mode) ?? [], {
      steering,
      now,
      loads,
      loadByPath,
      carriedByOthers: () => carriedByOthers(mode, all),
    });
  const steps = MODES.map((mode) => [mode, step(mode)] as const);
  return {
    state: {
      meter: measured,
      paths,
      modes: Object.fromEntries(steps.map(([mode, { state }]) => [mode, state])) as ModeStates,
    },
    choices: new Map(steps.flatMap(([, { choices }]) => [...choices])),
    isDryRun: steering.dryRun,
    loads,
    rates: measured.sessions,
  };
}

function measuredSession(session: PlacedSession, measured: Meter): MeasuredSession {
  const { rule, placed } = session;
  const key = sessionKey(session.session);
  const meters = metersOf(measured, session);
  const [first, ...others] = choicesOf(session);
  const rate = measured.sessions.get(key) ?? NO_RATE;
  return {
    mode: rule.mode,
    meters,
    forMode:
      first === undefined
        ? undefined
        : { key, rule, choices: [first, ...others], current: currentPrimary(placed), meters, rate },
  };
}

/** By the path's name: what it carries of the sessions whose paths this mode does not choose, bit/s. */
function carriedByOthers(mode: Mode, sessions: readonly MeasuredSession[]): Map<string, Rate> {
  const carried = new Map<string, Rate>();
  for (const session of sessions) {
    if (session.mode === mode && session.forMode) continue;
    for (const { path = '', rate = NO_RATE } of session.meters) {
      carried.set(path, addRate(carried.get(path) ?? NO_RATE, rate));
    }
  }
  return carried;
}
