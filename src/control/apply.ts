import type { Backend, NotTried, PriorityResult } from '../backend/backend.js';
import type { SessionPlan, PriorityChange } from '../steering/plan.js';
import type { AppliedChanges } from './compare-plans.js';

/** A priority change and its result. */
export interface AppliedChange {
  readonly change: PriorityChange;
  readonly result: PriorityResult;
}

/**
 * Applies the priority changes of all sessions at once, those of each session in the order of its plan. If a subflow cannot
 * be made active, the session's changes after it wait for the next round. So a plan that fails halfway never leaves a
 * connection without an active subflow.
 * @returns the changes that were tried, of each session that has changes.
 */
export async function apply(backend: Backend, plans: readonly SessionPlan[]): Promise<AppliedChanges> {
  const applied = new Map<SessionPlan, readonly AppliedChange[]>();
  const changing = plans.filter(({ wishes }) => wishes.length > 0);
  if (changing.length === 0) return applied;
  const results = await backend.setPriorities(changing.flatMap(({ wishes }) => wishes));
  let at = 0;
  for (const plan of changing) {
    const changes: AppliedChange[] = [];
    for (const change of plan.wishes) {
      const result = results[at++];
      if (result && wasTried(result)) changes.push({ change, result });
    }
    applied.set(plan, changes);
  }
  return applied;
}

function wasTried(result: PriorityResult | NotTried): result is PriorityResult {
  return result.outcome !== 'not-tried';
}
