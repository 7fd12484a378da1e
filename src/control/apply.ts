import type { Backend, PriorityResult } from '../backend/backend.js';
import type { SessionPlan, PriorityChange } from '../steering/plan.js';

/** A wish and what came of it. */
export interface AppliedWish {
  readonly wish: PriorityChange;
  readonly result: PriorityResult;
}

/**
 * Applies one session's wishes in the plan's order. When a subflow cannot be made active, the ones to become backup are
 * left for the next observation: a connection never loses its active subflows to half a plan.
 */
export async function apply(backend: Backend, { wishes }: SessionPlan): Promise<readonly AppliedWish[]> {
  const applied: AppliedWish[] = [];
  for (const wish of wishes) {
    const result = await backend.setPriority(wish.name, wish.priority, wish);
    applied.push({ wish, result });
    const holds = result.outcome === 'committed' || result.outcome === 'unchanged';
    if (wish.priority === 'active' && !holds) break;
  }
  return applied;
}
