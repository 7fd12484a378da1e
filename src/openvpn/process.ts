import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { hasCode } from '../util/errno.js';

/** What `/proc` says of a process that claims to be a server. */
export type ProcessFacts =
  | { readonly is: 'openvpn'; readonly euid: number }
  | { readonly is: 'other'; readonly exe: string }
  | { readonly is: 'gone' };

/** Replaced by tests that have no OpenVPN at hand. */
export type ProcessProbe = (pid: number) => ProcessFacts;

/**
 * Whether a process is not gone in the sense of {@link probeProcess}, by one system call instead of six: what has ended,
 * waited for or not, has no program any more (proc(5); a zombie's memory is given back before its parent is told).
 * @throws {Error} if `/proc` keeps the process from us (we are not root).
 */
export function processExists(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

/**
 * Looks a process up. A program counts as OpenVPN when its file's name begins with `openvpn`: Debian's
 * `/usr/sbin/openvpn`, also after an upgrade replaced it (`openvpn (deleted)`). A zombie is gone.
 * @throws {Error} if `/proc` keeps the process from us (we are not root).
 */
export function probeProcess(pid: number): ProcessFacts {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    if (/^State:\s*[ZX]/m.test(status)) return { is: 'gone' };
    const exe = readlinkSync(`/proc/${pid}/exe`);
    if (!basename(exe).startsWith('openvpn')) return { is: 'other', exe };
    // Uid: real, effective, saved, file system (proc_pid_status(5))
    const euid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
    return euid === undefined ? { is: 'gone' } : { is: 'openvpn', euid: Number(euid) };
  } catch (error) {
    // ESRCH: it went away between two reads; ENOENT for exe: a kernel thread or a process that is exiting
    if (hasCode(error, 'ENOENT', 'ESRCH')) return { is: 'gone' };
    throw error;
  }
}
