import { readdirSync, readFileSync } from 'node:fs';
import { isOpenvpn } from './process.js';

/**
 * For how many milliseconds a search is used again. Short, because a process that is not found loses its records: OpenVPN runs for
 * longer than this before its first client is connected.
 */
const FRESH_MS = 100;

/**
 * The PIDs of a process, from the PID namespace of this process inwards; proc_pid_status(5), `NSpid`. One number if both are in
 * the same namespace.
 * @returns empty if the process is gone, if we may not read it, or before Linux 4.1.
 */
export function pidsOf(pid: number): readonly number[] {
  try {
    const [, numbers = ''] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return numbers.split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * Whether a process calls itself by this PID, which OpenVPN reports to its hooks and at its management interface. In a PID namespace
 * of its own, as in a container, that is another number than on the host.
 */
export function callsItself(pid: number, reported: number): boolean {
  return pidsOf(pid).at(-1) === reported;
}

/** The OpenVPN processes in PID namespaces inside that of this process. */
export class NestedProcesses {
  #byReported: ReadonlyMap<number, readonly number[]> = new Map();
  /** `performance.now()`. */
  #searchedAt = -Infinity;

  /**
   * The PIDs on this host of the OpenVPN processes that call themselves by this PID in a namespace of their own. This reads all of
   * /proc, at most every {@link FRESH_MS} milliseconds; whoever asks for others has a budget of time.
   */
  find(reported: number): readonly number[] {
    if (performance.now() - this.#searchedAt >= FRESH_MS) {
      this.#byReported = search();
      this.#searchedAt = performance.now();
    }
    return this.#byReported.get(reported) ?? [];
  }
}

function search(): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !isOpenvpn(pid)) continue;
    const pids = pidsOf(pid);
    const reported = pids.at(-1);
    if (reported === undefined || pids.length < 2) continue;
    const others = found.get(reported);
    if (others) others.push(pid);
    else found.set(reported, [pid]);
  }
  return found;
}
