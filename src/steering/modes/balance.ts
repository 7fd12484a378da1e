import { formatPercent, fullness } from '../../model/path-load.js';
import { NO_RATE } from '../../model/rate.js';
import { BALANCE_DEFAULTS } from '../balancer/balance.js';
import { NO_ASSIGNMENTS, assignPaths, type BalanceState } from '../balancer/path-assignment.js';
import type { SessionPlan } from '../plan.js';
import type { ModeDefinition, Outlook } from './definition.js';
import { MEASURED_MODE } from './measured-mode.js';
import { stayTexts } from './texts.js';

/** Chooses the paths of all sessions of this mode together, by the load of the paths; see balancer/. */
export const balanceMode: ModeDefinition<BalanceState> = {
  ...MEASURED_MODE,
  initial: NO_ASSIGNMENTS,
  step(before, sessions, { loads, carriedByOthers, steering, now }) {
    const state = assignPaths(before, {
      candidates: sessions,
      loads,
      fixed: carriedByOthers(),
      steering,
      now,
    });
    return { state, choices: new Map([...state.assignments].filter(([, { active }]) => active.length > 0)) };
  },
  moveTexts,
};

function moveTexts(plan: SessionPlan, outlook: Outlook): string[] {
  const { rule, rate = NO_RATE, subflows } = plan;
  // In a dry run the session stays on its current path, and the planned one does not count.
  const current = plan.current ?? plan.primary ?? '';
  const { guidance, steering } = outlook;
  const currentLoad = guidance.loads.find(({ name }) => name === current);
  const currentFullness = currentLoad && fullness(currentLoad);
  const others = guidance.loads.filter(
    ({ name }) =>
      name !== current && rule.allowed.includes(name) && subflows.some(({ path }) => path === name),
  );
  if (others.length === 0) return ['not possible: it has only one path that it can use'];
  const isIdle = rate.down + rate.up < BALANCE_DEFAULTS.idle;
  return [
    ...stayTexts(plan, outlook),
    ...(isIdle ? ['not while it is idle'] : []),
    ...others.map((load) => {
      const cost = new Map(Object.entries(rule.cost ?? {})).get(load.name) ?? 1;
      const fullAfter = fullness(load, { down: rate.down * cost, up: rate.up * cost });
      if (currentFullness === undefined || fullAfter === undefined)
        return `to ${load.name} when subflowd knows what ${load.name} and ${current} can carry`;
      const limit = currentFullness * (1 - steering.gain);
      const answer = fullAfter < limit ? 'yes' : 'no';
      return `may move to ${load.name}: ${answer}; ${load.name} would be ${formatPercent(fullAfter)} full, the limit is ${formatPercent(limit)}`;
    }),
  ];
}
