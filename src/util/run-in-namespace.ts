import { readlinkSync } from 'node:fs';
import { execa } from 'execa';

const COMMAND_MS = 10_000;

/**
 * Runs a command in the network namespace of a process, and returns what it prints.
 * @throws {Error} ENOENT if the process is gone; the one of execa if the command fails.
 */
export async function runInNamespaceOf(pid: number, command: readonly string[]): Promise<string> {
  const isHere = readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net');
  const [file, ...args] = isHere ? command : ['nsenter', '--target', String(pid), '--net', '--', ...command];
  const { stdout } = await execa(file as string, args, { timeout: COMMAND_MS, stdin: 'ignore' });
  return stdout;
}
