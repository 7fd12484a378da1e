import type { RuleConfig } from '../config/config.js';
import { formatRate } from '../model/rate.js';

/** What a rule says, as it is written in the file; undefined where it asks for nothing. */
export function ruleText({ mode, primary, allowed, minRate, cost }: RuleConfig): string | undefined {
  if (mode === 'active-standby') return primary.length === 0 ? undefined : `primary = ${primary.join(', ')}`;
  const parts = [
    `mode = ${mode}`,
    mode === 'priority-based' ? `primary = ${primary.join(', ')}` : `allowed = ${allowed.join(', ')}`,
  ];
  if (mode === 'balance' && minRate) parts.push(`min-rate = ${formatRate(minRate)}`);
  const costs = Object.entries(cost ?? {}).map(([path, counts]) => `${path} ${counts}`);
  if (mode === 'balance' && costs.length > 0) parts.push(`cost = ${costs.join(', ')}`);
  return parts.join('; ');
}
