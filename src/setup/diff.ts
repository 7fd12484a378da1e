/** Unchanged lines that are shown around a change. */
const CONTEXT = 2;
/** The most lines of one side that are compared; a longer text counts as completely changed. */
const MAX_LINES = 4_000;

/** A line of one text or of both. */
export interface DiffLine {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** The differences of two texts as `diff -U 2` shows them, without the names of the files. */
export function diff(before: string, after: string): string[] {
  const lines = compareLines(linesOf(before), linesOf(after));
  const isNear = (index: number) =>
    lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ sign }) => sign !== ' ');
  const shown: string[] = [];
  let isGap = false;
  for (const [index, { sign, text }] of lines.entries()) {
    if (!isNear(index)) {
      isGap = true;
      continue;
    }
    if (isGap && shown.length > 0) shown.push('...');
    isGap = false;
    shown.push(`${sign}${text}`);
  }
  return shown;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Compares by the longest common subsequence of lines. */
export function compareLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  const [n, m] = [before.length, after.length];
  if (n > MAX_LINES || m > MAX_LINES) {
    return [
      ...before.map((text) => ({ sign: '-' as const, text })),
      ...after.map((text) => ({ sign: '+' as const, text })),
    ];
  }
  const width = m + 1;
  // the length of the longest common subsequence of the rests
  const common = new Uint16Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      common[i * width + j] =
        before[i] === after[j]
          ? (common[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < n || j < m) {
    if (i < n && j < m && before[i] === after[j]) {
      lines.push({ sign: ' ', text: before[i] ?? '' });
      [i, j] = [i + 1, j + 1];
    } else if (j >= m || (i < n && (common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0))) {
      lines.push({ sign: '-', text: before[i++] ?? '' });
    } else lines.push({ sign: '+', text: after[j++] ?? '' });
  }
  return lines;
}
