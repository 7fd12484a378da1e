import type { RuleConfig } from '../../config/config.js';
import { MODE_KEYS, type ModeKeys, type RuleKey } from '../../model/mode.js';
import { formatRate } from '../../model/rate.js';
import { sessionKey } from '../placed-session.js';
import type { SessionPlan } from '../plan.js';
import { ageOf } from '../stay.js';
import type { Outlook } from './definition.js';

/** The value of each key as it is written in the config; undefined: the rule does not have the key. */
const VALUE_TEXT: Readonly<Record<RuleKey, (rule: RuleConfig) => string | undefined>> = {
  primary: ({ primary }) => primary.join(', '),
  allowed: ({ allowed }) => allowed.join(', '),
  'min-rate': ({ minRate }) => minRate && formatRate(minRate),
  cost: ({ cost = {} }) =>
    Object.entries(cost)
      .map(([path, factor]) => `${path} ${factor}`)
      .join(', ') || undefined,
  both: ({ both }) => both,
};

/** A rule's mode and the keys that this mode uses: `mode = balance; allowed = wifi, lte; min-rate = 2/2 Mbit/s`. */
export function keysText(rule: RuleConfig): string {
  const { paths, others }: ModeKeys = MODE_KEYS[rule.mode];
  return [
    `mode = ${rule.mode}`,
    ...[paths, ...others].flatMap((key) => {
      const value = VALUE_TEXT[key](rule);
      return value === undefined ? [] : [`${key} = ${value}`];
    }),
  ].join('; ');
}

/** For how long a session has been on its path, and how long it must stay; one line, none before the first choice. */
export function stayTexts(
  { session }: Pick<SessionPlan, 'session'>,
  { guidance, steering, now }: Outlook,
): string[] {
  const since = guidance.choices.get(sessionKey(session))?.since;
  if (since === undefined) return [];
  const age = ageOf(since, now);
  const there = `on its path for ${seconds(age)}`;
  return [age < steering.dwell ? `${there}; it stays there for at least ${seconds(steering.dwell)}` : there];
}

function seconds(milliseconds: number): string {
  return milliseconds === Infinity ? 'a long time' : `${(milliseconds / 1000).toFixed(0)} s`;
}
