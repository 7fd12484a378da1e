import type { RuleConfig } from '../config/config.js';

/** What a path costs by a rule: how much each bit counts there, 0.01 to 100; 1 unless the rule says another value. */
export function costOf({ cost }: Pick<RuleConfig, 'cost'>, path: string): number {
  return cost !== undefined && Object.hasOwn(cost, path) ? (cost[path] ?? 1) : 1;
}
