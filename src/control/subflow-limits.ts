import type { SubflowLimits } from '../model/subflow-limits.js';
import type { Config } from '../config/config.js';

/** The lowest limit for a connection without a session, whose client is not authenticated yet. */
export const MIN_UNCLAIMED = 2;

/**
 * How many subflows a connection may have. A client adds its subflows as soon as it is connected, before OpenVPN has
 * authenticated it. So until then it may have one subflow for each path of the config, and not more.
 */
export function subflowLimits(
  { steering: { maxSubflows: most }, paths }: Config,
  claimed: SubflowLimits['claimed'],
): SubflowLimits {
  return { most, mostUnclaimed: Math.min(most, Math.max(MIN_UNCLAIMED, paths.length)), claimed };
}
