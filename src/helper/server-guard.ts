import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { KernelError, NoProcessError } from '../model/kernel-error.js';
import { hasCode } from '../util/errno.js';
import { isListening, startTime } from './is-serving.js';
import { parseGlob, type Glob } from '../util/glob.js';
import { systemdUnitOf } from '../util/systemd-unit.js';

/** Processes whose start is stored: more than a message can name. */
const MAX_SERVING = 4_096;

/**
 * Decides which processes the helper looks at and changes: those whose program is OpenVPN, which serve, and which run in one of
 * the units that the admin has named, if any. All these facts are the kernel's, and the daemon cannot change them.
 */
export class ServerGuard {
  readonly #units: readonly Glob[];
  /** Start times of the processes that listened, by PID. A server listens until it ends. */
  readonly #serving = new Map<number, string>();

  /** @param units names of systemd units, with `*` and `?`; empty: OpenVPN may run anywhere. */
  constructor(
    units: readonly string[] = [],
    private readonly isOpenvpn: (exe: string) => boolean = (exe) => basename(exe).startsWith('openvpn'),
    private readonly listens: (pid: number) => boolean = isListening,
  ) {
    this.#units = units.map(parseGlob);
  }

  /** @throws {KernelError} if the program is not OpenVPN, or runs in no unit of the admin; {NoProcessError} if it is gone. */
  check(pid: number): void {
    const exe = read(pid, () => readlinkSync(`/proc/${pid}/exe`));
    if (!this.isOpenvpn(exe)) {
      throw new KernelError('task', `process ${pid} is ${exe}, not OpenVPN: the helper does not touch it`);
    }
    if (this.#units.length === 0) return;
    const unit = systemdUnitOf(read(pid, () => readFileSync(`/proc/${pid}/cgroup`, 'latin1')));
    if (unit !== undefined && this.#units.some((glob) => glob.matches(unit))) return;
    throw new KernelError(
      'task',
      `process ${pid} is not in a unit that the helper may touch (it is in ${unit ?? 'none'})`,
      `add --unit ${unit ?? 'UNIT'} to the helper: systemctl edit subflowd-helper`,
    );
  }

  /** Whether the process listens for clients over TCP. An OpenVPN client never does, a server does soon after its start. */
  isServing(pid: number): boolean {
    const started = read(pid, () => startTime(pid));
    if (this.#serving.get(pid) === started) return true;
    if (!read(pid, () => this.listens(pid))) return false;
    if (this.#serving.size >= MAX_SERVING) this.#serving.clear();
    this.#serving.set(pid, started);
    return true;
  }

  /** Whether the helper may change something for this process. */
  allows(pid: number): boolean {
    try {
      this.check(pid);
      return this.isServing(pid);
    } catch {
      return false;
    }
  }
}

function read<Fact>(pid: number, readFact: () => Fact): Fact {
  try {
    return readFact();
  } catch (error) {
    if (error instanceof KernelError) throw error;
    if (hasCode(error, 'ENOENT', 'ESRCH')) throw new NoProcessError(pid, { cause: error });
    throw new KernelError(
      'task',
      `process ${pid}: ${(error as Error).message}`,
      'give the helper CAP_SYS_PTRACE (openvpn-conf/subflowd-helper.service)',
      { cause: error },
    );
  }
}
