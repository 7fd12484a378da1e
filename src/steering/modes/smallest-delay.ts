import type { Choice } from '../choice.js';
import { costOf } from '../cost.js';
import type { SubflowMeter } from '../measure/meter.js';
import type { SessionPlan } from '../plan.js';
import { ageOf, stayAfterArrival, minimumDwells, stayAfterMove, type Stay } from '../stay.js';
import type { ModeDefinition, ModeRound, ModeSession } from './definition.js';
import { eachSession, MEASURED_MODE, type ChoiceState } from './measured-mode.js';
import { stayTexts } from './texts.js';

/** A move needs a round-trip time that is lower by at least this fraction, */
const MIN_RTT_GAIN = 0.2;
/** and by at least this many microseconds, because a person does not notice less. */
const MIN_RTT_GAIN_US = 2000;

/** A choice, and how long the session must stay with it. */
export type DelayChoice = Choice & Stay;

/** The path with the lowest round-trip time is primary. The time of each path counts as many times as the path costs. */
export const smallestDelay: ModeDefinition<ChoiceState<DelayChoice>> = {
  ...MEASURED_MODE,
  ...eachSession(quickestPath),
  moveTexts: (plan, outlook) => [
    ...stayTexts(plan, outlook),
    `to a path whose round-trip time${plan.rule.cost ? ', times its cost,' : ''} is at least a fifth and 2 ms lower: ${delaysText(plan) || 'none is known yet'}`,
  ],
};

/**
 * The path with the lowest delay. It changes only to a path that is clearly quicker, and only after the dwell time.
 * The present delay of a path that carries nothing is not known. A session that tries such a path, finds it slow and
 * returns must stay longer afterwards.
 */
function quickestPath(
  before: DelayChoice | undefined,
  { rule, choices, meters, current }: ModeSession,
  { now, steering: { dwell } }: ModeRound,
): DelayChoice {
  const at = before?.active[0] ?? current;
  const delay = (path: string) => (delayOf(meters, path) ?? Infinity) * costOf(rule, path);
  const [first, ...others] = choices;
  const quickest = others.reduce((best, path) => (delay(path) < delay(best) ? path : best), first);
  if (at === undefined || !choices.includes(at)) return { active: [quickest], ...stayAfterArrival(now) };
  const stay = before ?? { active: [at], ...stayAfterArrival(now) };
  if (before && ageOf(before.since, now) < minimumDwells(before) * dwell) return stay;
  return isQuicker(delay(quickest), delay(at))
    ? { active: [quickest], ...stayAfterMove(stay, dwell, now) }
    : stay;
}

/** The lowest round-trip time of a path's subflows, microseconds; undefined: not known. */
function delayOf(meters: readonly SubflowMeter[], name: string): number | undefined {
  const least = Math.min(...meters.map(({ path, rtt }) => (path === name ? (rtt ?? Infinity) : Infinity)));
  return least === Infinity ? undefined : least;
}

/**
 * Whether a path is so much quicker than the present one that a move is worth it.
 * @param delay the round-trip time of the path, times its cost, microseconds.
 * @param than that of the present path, microseconds.
 */
function isQuicker(delay: number, than: number): boolean {
  return delay <= than * (1 - MIN_RTT_GAIN) && delay <= than - MIN_RTT_GAIN_US;
}

function delaysText({ rule, subflows }: SessionPlan): string {
  return subflows
    .flatMap(({ path, subflow }) =>
      path === undefined || !rule.allowed.includes(path) || !subflow.rtt
        ? []
        : [`${path} ${(subflow.rtt / 1000).toFixed(1)} ms${costText(costOf(rule, path))}`],
    )
    .join(', ');
}

function costText(cost: number): string {
  return cost === 1 ? '' : ` x ${cost}`;
}
