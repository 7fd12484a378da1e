import { printable } from '../../util/printable.js';

/** An answer's lines; `hangUp` ends the client after them. */
export interface Answer {
  readonly lines: readonly string[];
  readonly hangUp?: boolean;
  /** Said after them, without a line end. */
  readonly prompt?: string;
}

/** How a client is told what it did not ask for: whole lines, without their ends. */
export type Tell = (lines: readonly string[]) => void;

/** What answers one client. */
export interface Dialogue {
  /** Said first, without a line end. */
  readonly prompt?: string;
  /** False until it has shown a password. */
  readonly isAdmitted?: boolean;
  /**
   * Answers one line, once, now or later; nothing throws.
   * @returns whether it only asks, so that what is said behind it need not wait for the answer.
   */
  run(line: string, respond: (answer: Answer) => void): boolean;
  /** The client is gone. */
  leave(): void;
}

export function success(message: string): Answer {
  return { lines: [`SUCCESS: ${printable(message)}`] };
}

export function failure(message: string): Answer {
  return { lines: [`ERROR: ${printable(message)}`] };
}
