import { printable } from '../util/printable.js';

/** An answer's lines; `hangUp` ends the client after them. */
export interface Answer {
  readonly lines: readonly string[];
  readonly hangUp?: boolean;
  /** Said after them, without a line end. */
  readonly prompt?: string;
}

export function success(message: string): Answer {
  return { lines: [`SUCCESS: ${printable(message)}`] };
}

export function failure(message: string): Answer {
  return { lines: [`ERROR: ${printable(message)}`] };
}
