import { readlinkSync } from 'node:fs';
import { execa } from 'execa';

const COMMAND_MS = 10_000;

/**
 * What a command prints in the network namespace of a process.
 * @throws {Error} ENOENT if the process is gone; of execa if the command fails.
 */
export async function runInNamespaceOf(pid: number, command: readonly string[]): Promise<string> {
  const isHere = readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net');
  const [file, ...args] = isHere ? command : ['nsenter', '--target', String(pid), '--net', '--', ...command];
  const { stdout } = await execa(file as string, args, { timeout: COMMAND_MS, stdin: 'ignore' });
  return stdout;
}
