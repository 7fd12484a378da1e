import type { Config } from '../config/config.js';
import type { Written } from '../control/controller.js';
import type { Guidance } from '../steering/guidance.js';
import { outlookText } from '../steering/outlook.js';
import type { SessionPlan } from '../steering/plan.js';
import { rulesFinder, type Rule } from '../steering/rule.js';

/** Why the priorities of one session's subflows are as they are. */
export interface Explanation {
  readonly plan: SessionPlan;
  /** Every rule that matches the session. The first one applies. */
  readonly rules: readonly Rule[];
  /** The last attempt to set its priorities; undefined: none yet. */
  readonly written: Written | undefined;
  /** Its rate, the load of its paths, and what would move it to another path, one line each. */
  readonly outlook: readonly string[];
}

/** What {@link explain} needs besides the plans. */
export interface ExplanationInputs {
  readonly config: Config;
  readonly guidance: Guidance;
  /** Time on the clock of `guidance` (`performance.now()`), milliseconds. */
  readonly now: number;
  readonly written: (plan: SessionPlan) => Written | undefined;
}

/** Explains each of these sessions, in their order. */
export function explain(
  plans: readonly SessionPlan[],
  { config, guidance, now, written }: ExplanationInputs,
): readonly Explanation[] {
  const rulesOf = rulesFinder(config);
  return plans.map((plan) => {
    const matching = rulesOf(plan.session.commonName);
    return {
      plan,
      rules: plan.rule.section === 'override' ? [plan.rule, ...matching] : matching,
      written: written(plan),
      outlook: outlookText(plan, { guidance, steering: config.steering, now }),
    };
  });
}
