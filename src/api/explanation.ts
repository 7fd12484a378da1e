import type { Config } from '../config/config.js';
import type { Written } from '../control/controller.js';
import type { Guidance } from '../steering/guidance.js';
import { outlookText } from '../steering/outlook.js';
import type { SessionPlan } from '../steering/plan.js';
import { rulesFinder, type Rule } from '../steering/rule.js';

/** Explains one session: from its rule to the priorities of its subflows. */
export interface Explanation {
  readonly plan: SessionPlan;
  /** Every rule that matches. The first one applies. */
  readonly rules: readonly Rule[];
  /** The last attempt to set its priorities; undefined: none yet. */
  readonly written: Written | undefined;
  /** Its rate, the load of its paths, and what would move it, one line each. */
  readonly outlook: readonly string[];
}

/** What the daemon knows besides the plan. */
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
    const fit = rulesOf(plan.session.commonName);
    return {
      plan,
      rules: plan.rule.section === 'override' ? [plan.rule, ...fit] : fit,
      written: written(plan),
      outlook: outlookText(plan, { guidance, steering: config.steering, now }),
    };
  });
}
