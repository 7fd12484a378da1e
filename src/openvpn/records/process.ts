import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { hasCode } from '../../util/errno.js';

/** What `/proc` shows about a process that hooks or management report as OpenVPN. */
export type ProcessFacts =
  /** `pid`: its PID on this host, if it reports another one, which it has in a PID namespace of its own. */
  | { readonly is: 'openvpn'; readonly euid: number; readonly pid?: number }
  /** Several OpenVPN processes, in PID namespaces of their own, report this PID. `pids`: their PIDs on this host. */
  | { readonly is: 'ambiguous'; readonly pids: readonly number[] }
  | { readonly is: 'other'; readonly exe: string }
  | { readonly is: 'gone' };

/**
 * Finds out what the process is that reports this PID: `findProcess`, or {@link probeProcess} for a PID on this host. Tests that
 * run without OpenVPN have others.
 */
export type ProcessProbe = (pid: number) => ProcessFacts;

/**
 * Whether a process exists. This takes one system call, and {@link probeProcess} takes six. A process that has ended has no
 * `exe` any more, even while it is a zombie (proc(5)). Without the right to read `exe`, its state shows the same.
 */
export function processExists(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false;
    if (hasCode(error, 'EACCES', 'EPERM')) return probeProcess(pid).is !== 'gone';
    throw error;
  }
}

/**
 * Reads a process in `/proc`. A program is OpenVPN if the name of its file begins with `openvpn`: Debian's
 * `/usr/sbin/openvpn`, also after an upgrade replaced it (`openvpn (deleted)`). A zombie is gone.
 *
 * A daemon without rights may not see the file. It then takes the name that the kernel shows to everybody, which is that of the
 * file that was started. A user can give a process of its own any name, but also the name of any file. Before subflowd's helper
 * touches a process, it checks the file.
 * @throws {Error} if this process may not read it (`hidepid`).
 */
export function probeProcess(pid: number): ProcessFacts {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    if (/^State:\s*[ZX]/m.test(status)) return { is: 'gone' };
    const exe = readProgram(pid) ?? /^Name:\s*(.*)$/m.exec(status)?.[1] ?? '';
    if (!isProgramOpenvpn(exe)) return { is: 'other', exe };
    // Uid: real, effective, saved, file system (proc_pid_status(5))
    const euid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
    return euid === undefined ? { is: 'gone' } : { is: 'openvpn', euid: Number(euid) };
  } catch (error) {
    // ESRCH: the process ended between two reads; ENOENT for exe: a kernel thread or a process that is exiting
    if (hasCode(error, 'ENOENT', 'ESRCH')) return { is: 'gone' };
    throw error;
  }
}

/** Whether the program of a process is OpenVPN; false if this cannot be read. One system call, or four without rights. */
export function isOpenvpn(pid: number): boolean {
  try {
    return isProgramOpenvpn(readProgram(pid) ?? readFileSync(`/proc/${pid}/comm`, 'latin1'));
  } catch {
    return false;
  }
}

/** The file that a process runs; undefined without the right to read it. @throws {Error} ENOENT or ESRCH if it is gone. */
function readProgram(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

function isProgramOpenvpn(exe: string): boolean {
  return basename(exe).startsWith('openvpn');
}
