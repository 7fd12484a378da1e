import { compareLines } from './diff.js';

/** Lines of a text that another text has instead. */
interface Hunk {
  /** Index of the first line that is replaced. */
  readonly from: number;
  /** Index after the last one; equal to `from` where lines are only added. */
  readonly to: number;
  readonly lines: readonly string[];
}

/**
 * Applies the changes from one text to another to a third text, and keeps the changes that this one has of its own.
 * @returns undefined if both change the same lines.
 */
export function merge(base: string, wanted: string, present: string): string | undefined {
  const lines = base.split('\n');
  const ours = hunksOf(lines, wanted.split('\n'));
  const theirs = hunksOf(lines, present.split('\n')).filter(
    (hunk) => !ours.some((each) => isSame(each, hunk)),
  );
  if (ours.some((one) => theirs.some((other) => isConflict(one, other)))) return undefined;
  const result: string[] = [];
  let next = 0;
  // of two that begin at the same line, the one that only adds lines comes first
  for (const { from, to, lines: added } of [...ours, ...theirs].sort(
    (a, b) => a.from - b.from || a.to - b.to,
  )) {
    result.push(...lines.slice(next, from), ...added);
    next = to;
  }
  return [...result, ...lines.slice(next)].join('\n');
}

function hunksOf(before: readonly string[], after: readonly string[]): Hunk[] {
  const hunks: { from: number; to: number; lines: string[] }[] = [];
  let at = 0;
  let open: (typeof hunks)[number] | undefined;
  for (const { sign, text } of compareLines(before, after)) {
    if (sign === ' ') {
      open = undefined;
      at += 1;
      continue;
    }
    if (open === undefined) {
      open = { from: at, to: at, lines: [] };
      hunks.push(open);
    }
    if (sign === '+') open.lines.push(text);
    else open.to = ++at;
  }
  return hunks;
}

function isSame(one: Hunk, other: Hunk): boolean {
  return one.from === other.from && one.to === other.to && one.lines.join('\n') === other.lines.join('\n');
}

function isConflict(one: Hunk, other: Hunk): boolean {
  if (one.from === other.from && one.to === other.to) return true;
  return one.from < other.to && other.from < one.to;
}
