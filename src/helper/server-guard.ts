import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { KernelError, NoProcessError } from '../model/kernel-error.js';
import { hasCode } from '../util/errno.js';
import { parseGlob, type Glob } from '../util/glob.js';

/**
 * Decides which processes the helper looks at and changes: those whose program is OpenVPN and, if the admin has named units,
 * that run in one of these. Both facts are the kernel's, and the daemon cannot change them.
 */
export class ServerGuard {
  readonly #units: readonly Glob[];

  /** @param units names of systemd units, with `*` and `?`; empty: OpenVPN may run anywhere. */
  constructor(
    units: readonly string[] = [],
    private readonly isOpenvpn: (exe: string) => boolean = (exe) => basename(exe).startsWith('openvpn'),
  ) {
    this.#units = units.map(parseGlob);
  }

  /** @throws {KernelError} if this is not the process of a server; {NoProcessError} if it is gone. */
  check(pid: number): void {
    const exe = read(pid, () => readlinkSync(`/proc/${pid}/exe`));
    if (!this.isOpenvpn(exe)) {
      throw new KernelError('task', `process ${pid} is ${exe}, not OpenVPN: the helper does not touch it`);
    }
    if (this.#units.length === 0) return;
    const unit = unitOf(read(pid, () => readFileSync(`/proc/${pid}/cgroup`, 'latin1')));
    if (unit !== undefined && this.#units.some((glob) => glob.matches(unit))) return;
    throw new KernelError(
      'task',
      `process ${pid} is not in a unit that the helper may touch (it is in ${unit ?? 'none'})`,
      `add --unit ${unit ?? 'UNIT'} to the helper: systemctl edit subflowd-helper`,
    );
  }

  /** Whether {@link check} does not throw. */
  allows(pid: number): boolean {
    try {
      this.check(pid);
      return true;
    } catch {
      return false;
    }
  }
}

/** The systemd unit in the text of /proc/PID/cgroup: the last part of the path that is the name of a unit. */
export function unitOf(cgroups: string): string | undefined {
  const path = /^(?:0:|\d+:name=systemd):(.*)$/m.exec(cgroups)?.[1] ?? '';
  return path
    .split('/')
    .reverse()
    .find((part) => /\.(?:service|scope)$/.test(part));
}

function read(pid: number, readFact: () => string): string {
  try {
    return readFact();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) throw new NoProcessError(pid, { cause: error });
    throw new KernelError(
      'task',
      `process ${pid}: ${(error as Error).message}`,
      'give the helper CAP_SYS_PTRACE (openvpn-conf/subflowd-helper.service)',
      { cause: error },
    );
  }
}
