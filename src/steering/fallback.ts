import { timeText } from '../util/time-text.js';

/** A connection that began with MPTCP and fell back to plain TCP; plain data, as `status --json` prints it. */
export interface Fallback {
  /** When this daemon first observed it, Unix time in milliseconds. It may have happened before. */
  readonly since: number;
  /** The path of the one TCP connection that is left. Absent: on no path of the config. */
  readonly path?: string;
}

/** @param path undefined: on no path of the config. */
export function fallback(since: number, path: string | undefined): Fallback {
  return { since, ...(path !== undefined && { path }) };
}

/** Why a session whose connection fell back cannot be steered: one line for people. */
export function fallbackReason({ since, path }: Fallback): string {
  const where = path === undefined ? '' : ` (path ${path})`;
  return `it fell back to plain TCP: something on the way strips MPTCP${where}; seen since ${timeText(since)}`;
}
