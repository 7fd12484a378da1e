import type { Check } from '../model/check.js';
import { printable } from '../util/printable.js';

const MARKS = { ok: 'ok     ', note: 'note   ', bad: 'BAD    ', unknown: 'unknown' } as const;

/** A check as an admin reads it. Every line of `found` but the first is indented, so that none can pass for another check. */
export function checkText({ name, verdict, found, remedy }: Check): string {
  const lines = found.split('\n').map(printable).join('\n        ');
  const fix = remedy === undefined ? '' : `\n        to fix it: ${printable(remedy)}`;
  return `${MARKS[verdict]} ${printable(name)}: ${lines}${fix}`;
}
