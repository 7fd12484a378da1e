import { printable } from '../util/printable.js';

/** One thing that must be true on this host. */
export interface Check {
  readonly name: string;
  /** `note`: works, and could be better; `unknown`: cannot be told before something else is mended. */
  readonly verdict: 'ok' | 'note' | 'bad' | 'unknown';
  /** What was found, naming the thing. */
  readonly found: string;
  /** The command or the change that mends it. */
  readonly remedy?: string;
}

export function ok(name: string, found: string): Check {
  return { name, verdict: 'ok', found };
}

export function note(name: string, found: string, remedy?: string): Check {
  return { name, verdict: 'note', found, ...(remedy !== undefined && { remedy }) };
}

export function bad(name: string, found: string, remedy: string): Check {
  return { name, verdict: 'bad', found, remedy };
}

export function unknown(name: string, found: string): Check {
  return { name, verdict: 'unknown', found };
}

/** A check as an admin reads it. Of what was found, no line can pass for another check. */
export function checkText({ name, verdict, found, remedy }: Check): string {
  const mark = { ok: 'ok     ', note: 'note   ', bad: 'BAD    ', unknown: 'unknown' }[verdict];
  const lines = found.split('\n').map(printable).join('\n        ');
  return `${mark} ${printable(name)}: ${lines}${remedy === undefined ? '' : `\n        mend: ${printable(remedy)}`}`;
}
