import type { Config, RuleConfig, SteeringConfig } from '../../src/config/config.js';

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

/**
 * A config with one server, `lab`, and the paths `wifi` and `lte`. Nothing in it exists on this host.
 * @param primary that of `[default]`, which has `active-standby`.
 * @param more replaces whole sections.
 */
export function configOf(primary: readonly string[], more: Partial<Config> = {}): Config {
  return {
    servers: [{ name: 'lab', events: '/nowhere' }],
    kernel: { backend: 'devmem', layout: 'btf' },
    console: { socket: '/nowhere', mode: 0o600, overrides: '/nowhere', quotas: '/nowhere' },
    paths: [
      { name: 'wifi', prefixes: ['192.168.100.0/24'], maxLoss: 0.1 },
      { name: 'lte', prefixes: ['192.168.200.0/24'], maxLoss: 0.1 },
    ],
    clients: [],
    default: standby(primary),
    steering: STEERING,
    ...more,
  };
}
