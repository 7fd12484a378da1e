import type { Choice } from '../choice.js';
import { rateOf, type SubflowMeter } from '../measure/meter.js';
import { fullness, type PathLoad } from '../../model/path-load.js';
import { ageOf } from '../stay.js';

/** A session of `priority-based` at one moment. */
export interface PriorityStep {
  /** The paths that it may be on, in the order in which they join, at least one. */
  readonly choices: readonly [string, ...string[]];
  /** Of all its subflows. */
  readonly meters: readonly SubflowMeter[];
  /** By path's name. */
  readonly loads: ReadonlyMap<string, PathLoad>;
  readonly now: number;
  /** Milliseconds. */
  readonly dwell: number;
}

/** Milliseconds that a path that joined has to relieve the others before the next one joins. */
const JOINING = 2000;
/** How full the others may become by what the path that leaves carries. */
export const ROOMY = 0.8;

/** The first path, and as many of those behind it as are needed so that not all of them are congested. */
export function priorityBased(
  before: Choice | undefined,
  { choices, meters, loads, now, dwell }: PriorityStep,
): Choice {
  const [first] = choices;
  const active = (before?.active ?? []).filter((path) => choices.includes(path));
  if (!before || active[0] !== first) return { active: [first], since: now };
  const stay = active.length === before.active.length ? before : { active, since: now };
  const age = ageOf(before.since, now);
  const congested = active.every((path) => loads.get(path)?.isCongested);
  const next = choices.find((path) => !active.includes(path));
  if (congested && next !== undefined && age >= JOINING) return { active: [...active, next], since: now };
  const rest = active.slice(0, -1);
  if (rest.length === 0 || age < dwell) return stay;
  const carried = rateOf(meters.filter(({ path }) => path === active.at(-1)));
  const hasRoom = rest.some((path) => {
    const load = loads.get(path);
    return load && !load.isCongested && (fullness(load, carried) ?? 0) <= ROOMY;
  });
  return hasRoom ? { active: rest, since: now } : stay;
}
