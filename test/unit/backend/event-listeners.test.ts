import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findEventListeners, namespaceOf } from '../../../src/backend/netlink/event-listeners.js';

const HEAD = 'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode';
let proc: string;

beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'subflowd-proc-'));
});
afterEach(() => {
  rmSync(proc, { recursive: true });
});

/** Adds a process to /proc. @param table the lines of its net/netlink. */
function addProcess(
  pid: number,
  table: readonly string[],
  sockets: readonly number[],
  program?: string,
): void {
  const directory = join(proc, `${pid}`);
  for (const name of ['ns', 'net', 'fd']) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'ns/net'), '');
  writeFileSync(join(directory, 'net/netlink'), [HEAD, ...table, ''].join('\n'));
  for (const [fd, inode] of sockets.entries()) symlinkSync(`socket:[${inode}]`, join(directory, `fd/${fd}`));
  if (program !== undefined) symlinkSync(program, join(directory, 'exe'));
}

/** A line of /proc/net/netlink. */
function line(protocol: number, groups: string, inode: number): string {
  return `00000000a2716796 ${protocol}  1234       ${groups} 0        0        0     2        0        ${inode}      `;
}

it('finds the sockets in the group in every network namespace, and the processes that have them', () => {
  addProcess(
    10,
    [line(16, '00000100', 501), line(16, '00000080', 502), line(4, '00000100', 503)],
    [7, 501],
    '/usr/sbin/mptcpd',
  );
  addProcess(20, [line(16, '00000100', 601)], [501, 502]);
  addProcess(30, [], [601], '/usr/bin/node');
  mkdirSync(join(proc, 'self'));
  mkdirSync(join(proc, '40'));
  const [first, second] = [namespaceOf(10, proc), namespaceOf(20, proc)];
  expect(findEventListeners(9, proc)).toEqual([
    { pid: 10, program: '/usr/sbin/mptcpd', namespace: first, sockets: [501] },
    { pid: 20, program: '', namespace: first, sockets: [501] },
    // its socket is in the namespace of process 20
    { pid: 30, program: '/usr/bin/node', namespace: second, sockets: [601] },
  ]);
  expect(first).toBe(statSync(join(proc, '10/ns/net')).ino);
  expect(findEventListeners(10, proc)).toEqual([]);
});

it('finds a group with the number 32, and refuses one that the table does not show', () => {
  addProcess(10, [line(16, '80000000', 501)], [501]);
  expect(findEventListeners(32, proc)).toHaveLength(1);
  expect(() => findEventListeners(33, proc)).toThrow('/proc/net/netlink does not show group 33');
});
