import type { SubflowLimits } from '../model/subflow-limits.js';
import type { Config } from '../config/config.js';

/** An OpenVPN client that is not authenticated yet has joined with no more than this, or with one for each path. */
export const LEAST_UNCLAIMED = 2;

/**
 * How many subflows a connection may have. Before OpenVPN knows who the client is, one for each path of the config is
 * enough; it may join the moment that it is connected, so that fewer would take paths from honest ones.
 */
export function subflowLimits(
  { steering: { maxSubflows: most }, paths }: Config,
  claimed: SubflowLimits['claimed'],
): SubflowLimits {
  return { most, mostUnclaimed: Math.min(most, Math.max(LEAST_UNCLAIMED, paths.length)), claimed };
}
