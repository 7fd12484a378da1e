import type { SubflowLimits } from '../model/subflow-limits.js';
import type { Config } from '../config/config.js';

/** The least limit for a connection that no session claims yet: its client is not authenticated. */
export const LEAST_UNCLAIMED = 2;

/**
 * How many subflows a connection may have. A client joins its paths as soon as it is connected, before OpenVPN has
 * authenticated it. So it may have one subflow for each path of the config, and not more.
 */
export function subflowLimits(
  { steering: { maxSubflows: most }, paths }: Config,
  claimed: SubflowLimits['claimed'],
): SubflowLimits {
  return { most, mostUnclaimed: Math.min(most, Math.max(LEAST_UNCLAIMED, paths.length)), claimed };
}
