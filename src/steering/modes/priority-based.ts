import { formatPercent, fullness } from '../../model/path-load.js';
import type { Choice } from '../choice.js';
import { rateOf } from '../measure/meter.js';
import type { SessionPlan } from '../plan.js';
import { ageOf } from '../stay.js';
import type { ModeDefinition, ModeRound, ModeSession } from './definition.js';
import { eachSession, MEASURED_MODE, type ChoiceState } from './measured-mode.js';

/** The shortest time between two paths that join, milliseconds: the first of them needs it to relieve the others. */
const JOIN_SETTLE_MS = 2000;
/** A path leaves only if another can carry its load too and is then at most this full; 1 is full. */
const MAX_FULLNESS_AFTER_LEAVING = 0.8;

/** The first path of `primary` is active. While all active paths are congested, the next one joins. */
export const priorityBased: ModeDefinition<ChoiceState<Choice>> = {
  ...MEASURED_MODE,
  ...eachSession(pathsInOrder),
  moveTexts: joinAndLeaveTexts,
};

/** The first path, and as many of the next ones as are needed so that not all of them are congested. */
function pathsInOrder(
  before: Choice | undefined,
  { choices, meters }: ModeSession,
  { loadByPath, now, steering: { dwell } }: ModeRound,
): Choice {
  const [first] = choices;
  const active = (before?.active ?? []).filter((path) => choices.includes(path));
  if (!before || active[0] !== first) return { active: [first], since: now };
  const unchanged = active.length === before.active.length ? before : { active, since: now };
  const age = ageOf(before.since, now);

  const areCongested = active.every((path) => loadByPath.get(path)?.isCongested);
  const next = choices.find((path) => !active.includes(path));
  if (areCongested && next !== undefined && age >= JOIN_SETTLE_MS)
    return { active: [...active, next], since: now };

  // the last path leaves if another one can carry its load too
  const rest = active.slice(0, -1);
  if (rest.length === 0 || age < dwell) return unchanged;
  const carried = rateOf(meters.filter(({ path }) => path === active.at(-1)));
  const hasRoom = rest.some((path) => {
    const load = loadByPath.get(path);
    return load && !load.isCongested && (fullness(load, carried) ?? 0) <= MAX_FULLNESS_AFTER_LEAVING;
  });
  return hasRoom ? { active: rest, since: now } : unchanged;
}

function joinAndLeaveTexts({ rule, active, primary }: SessionPlan): string[] {
  const now = active ?? (primary === undefined ? [] : [primary]);
  const next = rule.primary.find((path) => !now.includes(path));
  const joins = next === undefined ? [] : [`${next} joins when ${now.join(' and ')} is congested`];
  const last = now.at(-1) ?? '';
  const leaves =
    now.length < 2
      ? []
      : [
          `${last} leaves when another path is then at most ${formatPercent(MAX_FULLNESS_AFTER_LEAVING)} full`,
        ];
  return [...joins, ...leaves];
}
