import type { Check } from '../model/check.js';
import { printable } from '../util/printable.js';

const MARKS = { ok: 'ok     ', note: 'note   ', bad: 'BAD    ', unknown: 'unknown' } as const;

/**
 * The text of a check for an admin. Each further line of `found` is indented, so that no line of it looks like another
 * check.
 */
export function checkText({ name, verdict, found, remedy }: Check): string {
  const lines = found.split('\n').map(printable).join('\n        ');
  const fix = remedy === undefined ? '' : `\n        to fix it: ${printable(remedy)}`;
  return `${MARKS[verdict]} ${printable(name)}: ${lines}${fix}`;
}
