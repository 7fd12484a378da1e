import { formatPercent, fullness } from '../../model/path-load.js';
import type { Choice } from '../choice.js';
import { costOf } from '../cost.js';
import { rateOf } from '../measure/meter.js';
import type { SessionPlan } from '../plan.js';
import { ageOf } from '../stay.js';
import type { ModeDefinition, ModeRound, ModeSession } from './definition.js';
import { eachSession, MEASURED_MODE, type ChoiceState } from './measured-mode.js';

/** The shortest time between two paths that join, milliseconds: the first of them needs it to relieve the others. */
const JOIN_SETTLE_MS = 2000;
/** For each unit that a path costs above 1, how long all active paths must be congested before it joins, milliseconds. */
const WAIT_FOR_COST_MS = 5000;
/**
 * A path leaves only if another can carry its load too and then keeps this part of its capacity free, divided by what the
 * leaving path costs. So a costly path leaves earlier.
 */
const FREE_AFTER_LEAVING = 0.2;

/** The paths of a session, and since when they are not enough. */
export interface OrderChoice extends Choice {
  /** Since when all active paths are congested, milliseconds of a monotonic clock; absent: they are not. */
  readonly congestedSince?: number;
}

/** The first path of `primary` is active. While all active paths are congested, the next one joins. */
export const priorityBased: ModeDefinition<ChoiceState<OrderChoice>> = {
  ...MEASURED_MODE,
  ...eachSession(pathsInOrder),
  moveTexts: joinAndLeaveTexts,
};

/** The first path, and as many of the next ones as are needed so that not all of them are congested. */
function pathsInOrder(
  before: OrderChoice | undefined,
  { rule, choices, meters }: ModeSession,
  { loadByPath, now, steering: { dwell } }: ModeRound,
): OrderChoice {
  const [first] = choices;
  const active = (before?.active ?? []).filter((path) => choices.includes(path));
  if (!before || active[0] !== first) return { active: [first], since: now };
  const age = ageOf(before.since, now);
  const areCongested = active.every((path) => loadByPath.get(path)?.isCongested);
  const congestedSince = areCongested ? (before.congestedSince ?? now) : undefined;
  const unchanged = {
    active,
    since: active.length === before.active.length ? before.since : now,
    ...(congestedSince !== undefined && { congestedSince }),
  };
  const next = choices.find((path) => !active.includes(path));
  if (congestedSince !== undefined && next !== undefined && age >= JOIN_SETTLE_MS)
    return now - congestedSince >= waitBeforeJoining(costOf(rule, next))
      ? { active: [...active, next], since: now }
      : unchanged;

  // the last path leaves if another one can carry its load too
  const rest = active.slice(0, -1);
  const last = active.at(-1) ?? first;
  if (rest.length === 0 || age < dwell) return unchanged;
  const carried = rateOf(meters.filter(({ path }) => path === last));
  const limit = fullnessAfterLeaving(costOf(rule, last));
  const hasRoom = rest.some((path) => {
    const load = loadByPath.get(path);
    return load && !load.isCongested && (fullness(load, carried) ?? 0) <= limit;
  });
  return hasRoom ? { active: rest, since: now } : unchanged;
}

/** How long all active paths must be congested before a path of this cost joins, milliseconds. */
function waitBeforeJoining(cost: number): number {
  return WAIT_FOR_COST_MS * Math.max(0, cost - 1);
}

/** How full another path may be after a path of this cost left, 0 to 1. */
function fullnessAfterLeaving(cost: number): number {
  return Math.max(0, 1 - FREE_AFTER_LEAVING / cost);
}

function joinAndLeaveTexts({ rule, active, primary }: SessionPlan): string[] {
  const now = active ?? (primary === undefined ? [] : [primary]);
  const next = rule.primary.find((path) => !now.includes(path));
  const wait = next === undefined ? 0 : waitBeforeJoining(costOf(rule, next));
  const delay = wait === 0 ? '' : ` for ${wait / 1000} s`;
  const joins = next === undefined ? [] : [`${next} joins when ${now.join(' and ')} is congested${delay}`];
  const last = now.at(-1) ?? '';
  const leaves =
    now.length < 2
      ? []
      : [
          `${last} leaves when another path is then at most ${formatPercent(fullnessAfterLeaving(costOf(rule, last)))} full`,
        ];
  return [...joins, ...leaves];
}
