import type { Obstacle } from './choice.js';
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
  /** The paths that the session would use rather than these. */
  readonly obstacles: readonly Obstacle[];
  /** Whether none of its paths carries, the active ones included. */
  readonly isStranded: boolean;
  /** Whether the rule wants none of the active paths. */
  readonly isElsewhere: boolean;
  /** Whether the session went back to them, because the path that it moved to does not carry. */
  readonly isBack: boolean;
}

/** What an {@link Obstacle} is, after the names of its paths: one path, several paths. */
const OBSTACLE_TEXTS: Readonly<Record<Obstacle['is'], readonly [one: string, several: string]>> = {
  dead: ['does not carry', 'do not carry'],
  closed: ['does not carry what others send there', 'do not carry what others send there'],
  lossy: ['loses too much or is too slow', 'lose too much or are too slow'],
  'held-back': ['is held back by the client', 'are held back by the client'],
  'over-quota': ['is over its quota', 'are over their quotas'],
};

/** Why the plan of a session is as it is: one line for people. */
export function planReason(facts: PlannedFacts): string {
  if (facts.subflows.length === 0)
    return 'no subflow is left: the tunnel stands still until the client reconnects';
  return [...pathReasons(facts), ...tunnelReasons(facts)].join('; ');
}

/** `lte does not carry: back to wifi` */
function obstacleReasons({ active, obstacles, isStranded, isElsewhere, isBack }: PlannedFacts): string[] {
  if (isStranded) return ['none of its paths carries'];
  const kinds = Object.entries(OBSTACLE_TEXTS).flatMap(([is, [one, several]]) => {
    const paths = obstacles.filter((obstacle) => obstacle.is === is).map(({ path }) => path);
    return paths.length === 0 ? [] : [`${paths.join(', ')} ${paths.length === 1 ? one : several}`];
  });
  if (kinds.length === 0) return [];
  const paths = active.join(', ');
  const instead = isBack ? `: back to ${paths}` : isElsewhere ? `: ${paths} instead` : '';
  return [`${kinds.join(', ')}${instead}`];
}

function pathReasons(facts: PlannedFacts): string[] {
  const { rule, active, missing, heldBack, wishes } = facts;
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
    ...obstacleReasons(facts),
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
