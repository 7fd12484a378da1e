import type { Config } from '../config/config.js';
import type { Written } from '../control/controller.js';
import type { Guidance } from '../steering/guidance.js';
import { outlookText } from '../steering/outlook.js';
import type { SessionPlan } from '../steering/plan.js';
import { rulesFinder, type Rule } from '../steering/rule.js';

/** Everything between one session's rule and its packets. */
export interface Explanation {
  readonly plan: SessionPlan;
  /** Every rule that fits, the one that counts first. */
  readonly rules: readonly Rule[];
  /** The last priorities that were set for it; undefined: none yet. */
  readonly written: Written | undefined;
  /** What it uses, what its paths carry, and what would move it, one line each. */
  readonly outlook: readonly string[];
}

/** What the daemon knows besides the plan. */
export interface ExplanationInputs {
  readonly config: Config;
  readonly guidance: Guidance;
  /** Milliseconds of the clock of `guidance`. */
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
