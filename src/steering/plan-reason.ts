import { MODE_TABLE } from './modes/table.js';
import { wantedPaths } from './rule.js';
import type { SessionPlan } from './plan.js';

/** The facts that a plan gives a reason for. */
export interface PlannedFacts extends Pick<
  SessionPlan,
  'rule' | 'missing' | 'heldBack' | 'subflows' | 'wishes'
> {
  /** The paths that the plan makes active; empty: the session keeps what it has. */
  readonly active: readonly string[];
}

/** Why the plan of a session is as it is: one line for people. */
export function planReason(facts: PlannedFacts): string {
  return [...pathReasons(facts), ...tunnelReasons(facts)].join('; ');
}

function pathReasons({ rule, active, missing, heldBack, wishes }: PlannedFacts): string[] {
  const { section } = rule;
  if (active.length === 0) {
    const wants = wantedPaths(rule);
    if (wants.length === 0) return [`${section} asks for no path: left as it is`];
    const verb = wants === rule.primary ? 'wants' : 'allows';
    return [`${section} ${verb} ${wants.join(', ')}, where the client has no subflow: keeps what it has`];
  }
  const by = MODE_TABLE[rule.mode].decidedBy(rule);
  const verb = wishes.length > 0 ? ' to be' : '';
  const paths = active.join(', ');
  const overruled = rule.peerBackup === 'override' ? 'to be overridden' : 'peer-backup = respect';
  return [
    active.length === 1 ? `${paths} is${verb} primary by ${by}` : `${paths} are${verb} active by ${by}`,
    ...(missing.length > 0 ? [`the client has no subflow on ${missing.join(', ')}`] : []),
    ...(heldBack ? [`held back by the client, which asks for backup on ${paths} (${overruled})`] : []),
  ];
}

function tunnelReasons({ active, subflows }: PlannedFacts): string[] {
  const count = subflows.filter(({ throughTunnel }) => throughTunnel).length;
  if (count === 0) return [];
  const runs = `${count} of its subflows ${count === 1 ? 'runs' : 'run'} through the tunnel itself: backup`;
  if (count === subflows.length) return [runs, 'no subflow is left to be active'];
  const othersBecomeActive = active.length === 0 && subflows.some(({ wished }) => wished === 'active');
  return othersBecomeActive ? [runs, 'no other was active, so all others become active'] : [runs];
}
