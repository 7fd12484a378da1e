import { printable } from '../../util/printable.js';

/** What a client gets for one line that it sent. */
export interface Answer {
  /** Without line ends. */
  readonly lines: readonly string[];
  /** Whether the connection ends after these lines. */
  readonly closesConnection?: boolean;
  /** Sent after the lines, without a line end. */
  readonly prompt?: string;
}

/** Sends lines without line ends to a client. They are not the answer to a command. */
export type Send = (lines: readonly string[]) => void;

/** Answers the lines of one client. */
export interface Dialogue {
  /** Sent first, without a line end. */
  readonly prompt?: string;
  /** False until the client has given the password; absent if it needs none. */
  readonly isAdmitted?: boolean;
  /**
   * Answers one line. Calls `respond` exactly once, before it returns or later. Never throws.
   * @returns whether the line is a query. A query changes nothing, so the next line need not wait for its answer.
   */
  run(line: string, respond: (answer: Answer) => void): boolean;
  /** The client has left. */
  leave(): void;
}

/** The answer of a command that succeeded: `SUCCESS: MESSAGE`, in the form of OpenVPN. */
export function success(message: string): Answer {
  return { lines: [`SUCCESS: ${printable(message)}`] };
}

/** The answer of a command that failed: `ERROR: MESSAGE`, in the form of OpenVPN. */
export function failure(message: string): Answer {
  return { lines: [`ERROR: ${printable(message)}`] };
}
