import type { SubflowLimits } from '../model/subflow-limits.js';
import type { Config } from '../config/config.js';

/** The smallest limit for a connection without a session: its client is not authenticated yet. */
export const LEAST_UNCLAIMED = 2;

/**
 * How many subflows a connection may have. A client joins its paths as soon as it is connected, before OpenVPN has
 * authenticated it. So it may have one subflow for each path of the config, and not more.
 */
export function subflowLimits(
  { steering: { maxSubflows: withSession }, paths }: Config,
  sessionTokens: SubflowLimits['sessionTokens'],
): SubflowLimits {
  const withoutSession = Math.min(withSession, Math.max(LEAST_UNCLAIMED, paths.length));
  return { withSession, withoutSession, sessionTokens };
}
