import { printable } from '../../util/printable.js';

/** What a client gets for one line that it sent. */
export interface Answer {
  readonly lines: readonly string[];
  /** Whether the connection ends after these lines. */
  readonly closesConnection?: boolean;
  /** Sent after the lines, without a line end. */
  readonly prompt?: string;
}

/** Sends a client lines that are no answer to a command. The lines have no line ends. */
export type Send = (lines: readonly string[]) => void;

/** Answers the lines of one client. */
export interface Dialogue {
  /** Sent first, without a line end. */
  readonly prompt?: string;
  /** False until the client has given the password; absent: none is needed. */
  readonly isAdmitted?: boolean;
  /**
   * Answers one line, exactly once, at once or later. Throws nothing.
   * @returns whether the line is a query. A query changes nothing, so the next line need not wait for its answer.
   */
  run(line: string, respond: (answer: Answer) => void): boolean;
  /** The client has left. */
  leave(): void;
}

export function success(message: string): Answer {
  return { lines: [`SUCCESS: ${printable(message)}`] };
}

export function failure(message: string): Answer {
  return { lines: [`ERROR: ${printable(message)}`] };
}
