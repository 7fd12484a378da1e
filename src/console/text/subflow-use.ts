import type { SubflowPlan } from '../../api/status.js';
import { formatPercent } from '../../model/path-load.js';
import { formatRate } from '../../model/rate.js';

/** Bit/s in both directions together; less than this is only what the kernel and OpenVPN send to keep a subflow. */
const NEGLIGIBLE_RATE = 1000;
/** The least fraction of lost segments to report. */
const REPORTED_LOSS = 0.01;

/**
 * What a subflow really does, from what was observed: `carries 12.1/0.3 Mbit/s, 23 ms, 4 % lost`; undefined before the
 * first round.
 */
export function useText({ subflow, health, rate, loss = 0 }: SubflowPlan): string | undefined {
  if (health === undefined) return undefined;
  if (health === 'dead') return 'dead: what waits there is not acknowledged';
  const isUsed = rate !== undefined && rate.down + rate.up >= NEGLIGIBLE_RATE;
  if (health === 'idle' || !isUsed) return 'idle';
  return [
    `carries ${formatRate(rate)}`,
    subflow.rtt !== undefined && subflow.rtt > 0 && `${(subflow.rtt / 1000).toFixed(0)} ms`,
    loss >= REPORTED_LOSS && `${formatPercent(loss)} lost`,
    health === 'lossy' && 'too bad to be chosen',
  ]
    .filter(Boolean)
    .join(', ');
}
