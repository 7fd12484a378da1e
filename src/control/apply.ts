import type { Backend, PriorityResult } from '../backend/backend.js';
import type { SessionPlan, PriorityChange } from '../steering/plan.js';

/** A priority change and its result. */
export interface AppliedChange {
  readonly change: PriorityChange;
  readonly result: PriorityResult;
}

/**
 * Applies one session's priority changes in the order of the plan. If a subflow cannot be made active, the changes
 * after it wait for the next round. So a plan that fails halfway never leaves a connection without an active subflow.
 */
export async function apply(backend: Backend, { wishes }: SessionPlan): Promise<readonly AppliedChange[]> {
  const applied: AppliedChange[] = [];
  for (const change of wishes) {
    const result = await backend.setPriority(change.name, change.priority, change);
    applied.push({ change, result });
    const isSet = result.outcome === 'committed' || result.outcome === 'unchanged';
    if (change.priority === 'active' && !isSet) break;
  }
  return applied;
}
