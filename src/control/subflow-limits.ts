import type { SubflowLimits } from '../model/subflow-limits.js';
import type { Config } from '../config/config.js';

/** The lowest limit for a connection without a session, whose client is not authenticated yet. */
export const MIN_WITHOUT_SESSION = 2;

/**
 * How many subflows a connection may have. A client adds its subflows as soon as it is connected, before OpenVPN has
 * authenticated it. So until then it may have one subflow for each path of the config, and not more.
 */
export function subflowLimits(
  { steering: { maxSubflows: withSession }, paths }: Config,
  sessionTokens: SubflowLimits['sessionTokens'],
): SubflowLimits {
  const withoutSession = Math.min(withSession, Math.max(MIN_WITHOUT_SESSION, paths.length));
  return { withSession, withoutSession, sessionTokens };
}
