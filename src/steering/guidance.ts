import type { Config } from '../config/config.js';
import { MODES, type Mode } from '../model/mode.js';
import type { PathLoad } from '../model/path-load.js';
import { addRate, NO_RATE, type Rate } from '../model/rate.js';
import { usablePaths, type Choices, type UsablePaths } from './choice.js';
import { NO_HEALTH, stepHealth, type HealthState } from './health/health.js';
import { measureSessions, metersOf, NO_METER, type Meter, type SubflowMeter } from './measure/meter.js';
import { measurePaths, pathLoads, type PathMeters } from './measure/path-load.js';
import type { ModeSession, ModeStep } from './modes/definition.js';
import { MODE_TABLE, type ModeStates } from './modes/table.js';
import { stepMove, type LastMove, type LastMoves } from './moves.js';
import { sessionKey, type PlacedSession } from './placed-session.js';
import { currentPrimary } from './subflows.js';

/** What steering keeps from one round to the next: plain data. After a restart it is measured and chosen again. */
export interface ModesState {
  readonly meter: Meter;
  readonly paths: PathMeters;
  readonly health: HealthState;
  readonly modes: ModeStates;
  readonly moves: LastMoves;
}

/** The state before the first round. */
export const INITIAL_MODES_STATE: ModesState = {
  meter: NO_METER,
  paths: new Map(),
  health: NO_HEALTH,
  moves: new Map(),
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
  readonly meter: Meter;
  readonly health: HealthState;
  /** By {@link sessionKey}: the paths that each session can use; absent: see {@link usablePaths}. */
  readonly usable: ReadonlyMap<string, UsablePaths>;
  readonly moves: LastMoves;
}

/** The guidance without measurements: each mode that needs them has chosen nothing. */
export const NO_GUIDANCE: Guidance = {
  isDryRun: false,
  choices: new Map(),
  loads: [],
  rates: new Map(),
  meter: NO_METER,
  health: NO_HEALTH,
  usable: new Map(),
  moves: new Map(),
};

/** A session with its measurements. */
interface MeasuredSession {
  readonly key: string;
  readonly placed: PlacedSession;
  readonly usable: UsablePaths;
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
  const health = stepHealth(before.health, sessions, config.paths, now);
  const loads = pathLoads(paths, config.paths, health.paths);
  const loadByPath = new Map(loads.map((load) => [load.name, load]));
  const all = sessions.map((session) => measuredSession(session, measured, health));
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
  const choices: Choices = new Map(steps.flatMap(([, { choices }]) => [...choices]));
  const moves = new Map(
    all.map(({ key, placed, usable }): [string, LastMove] => {
      const active = MODE_TABLE[placed.rule.mode].activePaths(placed, usable, choices.get(key));
      return [key, stepMove(before.moves.get(key), active, currentPrimary(placed.placed), now)];
    }),
  );
  return {
    state: {
      meter: measured,
      paths,
      health,
      moves,
      modes: Object.fromEntries(steps.map(([mode, { state }]) => [mode, state])) as ModeStates,
    },
    choices,
    isDryRun: steering.dryRun,
    loads,
    rates: measured.sessions,
    meter: measured,
    health,
    usable: new Map(all.map(({ key, usable }) => [key, usable])),
    moves,
  };
}

function measuredSession(session: PlacedSession, measured: Meter, health: HealthState): MeasuredSession {
  const { rule, placed } = session;
  const key = sessionKey(session.session);
  const meters = metersOf(measured, session);
  const usable = usablePaths(session, health);
  const [first, ...others] = usable.paths;
  const rate = measured.sessions.get(key) ?? NO_RATE;
  const averagedFor = measured.averagedFor.get(key) ?? 0;
  return {
    key,
    placed: session,
    usable,
    mode: rule.mode,
    meters,
    forMode:
      first === undefined
        ? undefined
        : {
            key,
            rule,
            choices: [first, ...others],
            current: currentPrimary(placed),
            meters,
            rate,
            averagedFor,
          },
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
