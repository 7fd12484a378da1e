import type { RuleConfig, SteeringConfig } from '../../src/config/config.js';

/** The defaults of `[steering]`. */
export const STEERING: SteeringConfig = {
  dryRun: false,
  maxSubflows: 8,
  interval: 1000,
  dwell: 10_000,
  moves: 32,
  gain: 0.04,
};

/** A rule of `active-standby` with these paths. */
export function standby(
  primary: readonly string[],
  peerBackup: RuleConfig['peerBackup'] = 'respect',
): RuleConfig {
  return { mode: 'active-standby', primary, allowed: primary, peerBackup };
}
