import { formatLoad } from '../model/path-load.js';
import { formatRate } from '../model/rate.js';
import type { Outlook } from './modes/definition.js';
import { MODE_TABLE } from './modes/table.js';
import type { SessionPlan } from './plan.js';

/** The lines of `explain` about a session's rate, the load of its paths, and what would move it. */
export function outlookText(plan: SessionPlan, outlook: Outlook): string[] {
  const { rule, rate, subflows } = plan;
  const paths = outlook.guidance.loads.filter(({ name }) => rule.allowed.includes(name));
  const moves = subflows.length === 0 ? [] : MODE_TABLE[rule.mode].moveTexts(plan, outlook);
  return [
    ...(rate ? [`load: it uses ${formatRate(rate)}`] : []),
    ...paths.map((load) => `load: path ${load.name} ${formatLoad(load)}`),
    ...moves.map((line) => `moves: ${line}`),
  ];
}
