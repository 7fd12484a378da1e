import { ConfigError } from './config/problem.js';
import { ConsoleRefusal, ConsoleUnreachable } from './console/terminal/console-error.js';
import { KernelError } from './model/kernel-error.js';
import { printable } from './util/printable.js';

/** Exit code of a command that failed, or whose answer is no: a check that found something wrong. */
export const EXIT_NO = 1;

/** Prints a text and a line end on standard output. */
export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

/** Ends the process without an error if the reader of its output closes the pipe early (subflowd status | head). */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

/** Prints on standard error what an admin should know besides the answer to a command. */
export function printNote(text: string): void {
  process.stderr.write(`subflowd: ${printable(text)}\n`);
}

/** Escapes each line as {@link printable} does. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/**
 * Prints an error with its remedy, and ends the process. Only an error that is a fault of subflowd is printed with its
 * stack.
 */
export function fail(error: unknown): never {
  const { message, stack } = error as Error;
  const text = isExpected(error as Error) ? message : (stack ?? message);
  process.stderr.write(`subflowd: ${printableLines(text)}\n`);
  if (error instanceof KernelError && error.remedy !== undefined) {
    process.stderr.write(`to fix it: ${printable(error.remedy)} (subflowd doctor checks everything)\n`);
  }
  process.exit(EXIT_NO);
}

/** Whether the message of an error is written for an admin. Errors of the system have the name `Error`. */
function isExpected(error: Error): boolean {
  return (
    error.name === 'Error' ||
    error instanceof ConfigError ||
    error instanceof ConsoleRefusal ||
    error instanceof ConsoleUnreachable ||
    error instanceof KernelError
  );
}
