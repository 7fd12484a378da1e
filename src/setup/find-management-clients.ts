import { readFileSync } from 'node:fs';
import { accountName } from '../util/accounts.js';
import type { ManagementClient } from './facts.js';
import type { RunProgram } from './run-program.js';

/** Finds the programs that are connected to a management interface now. @param address `/PATH` or `HOST PORT`. */
export async function findManagementClients(address: string, run: RunProgram): Promise<ManagementClient[]> {
  if (address.startsWith('/')) {
    const { output } = await run('ss', ['-Hxp', 'state', 'connected']);
    return unixPeers(output, address).map(describe);
  }
  const port = address.split(' ')[1] ?? '';
  if (!/^\d+$/.test(port)) return [];
  const { output } = await run('ss', ['-Htnp', 'state', 'established', `( dport = :${port} )`]);
  return pidsIn(output.split('\n')).map(describe);
}

/** The processes at the other ends of the connections of a unix socket, in the output of `ss -Hxp`. */
function unixPeers(output: string, path: string): number[] {
  // Netid Recv-Q Send-Q Path Inode Peer-Path Peer-Inode users:(...)
  const rows = output.split('\n').map((line) => ({ line, words: line.trim().split(/\s+/) }));
  const at = rows.findIndex(({ words }) => words.includes(path));
  if (at < 0) return [];
  const peers = new Set(
    rows.filter(({ words }) => words.includes(path)).map(({ words }) => words[words.indexOf(path) + 3]),
  );
  return pidsIn(
    rows
      .filter(({ words }) => !words.includes(path) && peers.has(words[words.indexOf('*') + 1]))
      .map(({ line }) => line),
  );
}

function pidsIn(lines: readonly string[]): number[] {
  const pids = lines.flatMap((line) => [...line.matchAll(/\bpid=(\d+)/g)].map(([, pid]) => Number(pid)));
  return [...new Set(pids)];
}

function describe(pid: number): ManagementClient {
  try {
    const program = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
    return { pid, program, user: accountName('passwd', Number(uid)) };
  } catch {
    return { pid, program: 'a process that has ended', user: 'root' };
  }
}
