import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { basename } from 'node:path';
import { BACKENDS } from '../backend/backends.js';
import { chooseBackend } from '../backend/choose.js';
import type { KernelConfig } from '../config/config.js';
import type { BackendName } from '../model/backend-name.js';
import { bad, ok, type Check } from '../model/check.js';

/**
 * Schedulers that are known to honour priorities. `roundrobin` of multipath-tcp.org does not, and a scheduler in BPF
 * may not.
 */
const SCHEDULERS = new Set(['default', 'redundant', 'blest', 'ecf', 'burst']);

/** The checks of a host that do not depend on its servers. */
export interface HostChecks {
  readonly checks: readonly Check[];
  /** The backend that a daemon would use now. */
  readonly backend: BackendName;
}

/** Checks this host for the backend that the config asks for; with `auto`, for the one that the daemon would choose. */
export async function checkHost(config: KernelConfig): Promise<HostChecks> {
  const { checks, backend } = await checkBackend(config);
  return { checks: [checkRoot(), checkMptcp(), ...checkScheduler(), ...checks], backend };
}

/** With `auto`, and if no backend works, the checks of all of them are shown. */
async function checkBackend({ backend: wanted, layout }: KernelConfig): Promise<HostChecks> {
  if (wanted !== 'auto') return { checks: await BACKENDS[wanted].probe(layout), backend: wanted };
  const { chosen, tried } = await chooseBackend(async (name) => {
    const checks = await BACKENDS[name].probe(layout);
    return { checks, isUsable: checks.every(({ verdict }) => verdict !== 'bad') };
  });
  if (chosen) return { checks: chosen.result.checks, backend: chosen.name };
  return { checks: tried.flatMap(({ result }) => result.checks), backend: tried[0]?.name ?? 'netlink' };
}

function checkRoot(): Check {
  const uid = process.geteuid?.();
  return uid === 0
    ? ok('root', 'running as root')
    : bad('root', `running as user ${uid ?? 'unknown'}`, 'run it as root: sudo subflowd doctor');
}

function checkMptcp(): Check {
  // the name upstream, and the name in kernels of multipath-tcp.org
  const file = ['enabled', 'mptcp_enabled']
    .map((name) => `/proc/sys/net/mptcp/${name}`)
    .find((name) => existsSync(name));
  if (file === undefined) {
    return bad(
      'mptcp',
      `kernel ${release()} has no MPTCP`,
      'boot a kernel with CONFIG_MPTCP=y (Debian has it)',
    );
  }
  const name = `net.mptcp.${basename(file)}`;
  const value = readFileSync(file, 'utf8').trim();
  // In kernels of multipath-tcp.org, 2 is for sockets that ask for MPTCP, and those of OpenVPN do not.
  return value === '1'
    ? ok('mptcp', `${name} = 1`)
    : bad('mptcp', `${name} = ${value}`, `sysctl -w ${name}=1`);
}

function checkScheduler(): Check[] {
  // the name upstream (since Linux 6.6), and the name in kernels of multipath-tcp.org
  for (const name of ['scheduler', 'mptcp_scheduler']) {
    let scheduler: string;
    try {
      scheduler = readFileSync(`/proc/sys/net/mptcp/${name}`, 'utf8').trim();
    } catch {
      continue;
    }
    const what = `net.mptcp.${name} = ${scheduler}`;
    return SCHEDULERS.has(scheduler)
      ? [ok('scheduler', what)]
      : [
          bad(
            'scheduler',
            `${what}: it is not known to honour priorities`,
            `sysctl -w net.mptcp.${name}=default`,
          ),
        ];
  }
  return [];
}
