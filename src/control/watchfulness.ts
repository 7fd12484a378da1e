import type { Guidance } from '../steering/guidance.js';
import { carriesNow } from '../steering/health/subflow-health.js';
import { MODE_TABLE } from '../steering/modes/table.js';
import type { Plan } from '../steering/plan.js';

/** How soon the next round is needed, although no change was reported. */
export interface Watchfulness {
  /** Whether only an observation shows what matters: rates, and whether what waits is acknowledged. */
  readonly isNeeded: boolean;
  /** Whether a session that could move has traffic. Then the next round must not wait for other work of this host. */
  readonly isBusy: boolean;
  /** The shortest pause, milliseconds. */
  readonly leastMs: number;
}

/** While no session that could move has traffic. */
const IDLE_MS = 1000;
/** While one has traffic: a path that dies is then found in less than a second. */
const BUSY_MS = 250;
/** While something waits that is not acknowledged: the path may just have died. */
const STALLED_MS = 100;
/** Data that waits for longer than this counts as stalled, milliseconds: longer than most round-trip times. */
const STALLS_AFTER_MS = 150;

/** How soon the next round is needed after a round with this result. */
export function watchfulness({ sessions }: Plan, { health }: Pick<Guidance, 'health'>): Watchfulness {
  const canMove = sessions.some(({ subflows }) => subflows.length > 1);
  const isMeasured = sessions.some(
    ({ rule: { mode, quota, rejoinAfter } }) =>
      MODE_TABLE[mode].usesMeasurements || quota !== undefined || rejoinAfter !== undefined,
  );
  if (!canMove && !isMeasured) return { isNeeded: false, isBusy: false, leastMs: IDLE_MS };
  const { at = 0 } = health;
  const subflows = [...health.sessions.values()].flatMap((session) => session.subflows.map(({ is }) => is));
  const isStalled = subflows.some(
    ({ health, stalledSince = Infinity }) => health !== 'dead' && at - stalledSince >= STALLS_AFTER_MS,
  );
  if (isStalled) return { isNeeded: true, isBusy: true, leastMs: STALLED_MS };
  const isBusy = subflows.some((subflow) => carriesNow(subflow, at));
  return { isNeeded: true, isBusy, leastMs: isBusy ? BUSY_MS : IDLE_MS };
}
