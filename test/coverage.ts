import path from 'node:path';

const SRC = path.resolve(import.meta.dirname, '../src');

interface Count {
  readonly total: number;
  readonly covered: number;
}

/** What istanbul-lib-coverage's CoverageMap offers, as far as this file uses it. */
export interface CoverageMap {
  /** Absolute paths. */
  files(): readonly string[];
  fileCoverageFor(file: string): { toSummary(): { readonly lines: Count; readonly branches: Count } };
}

/** Which share of the lines and branches of `src/` ran: one row for each of its directories, and one for all. */
export function coverageTable(map: CoverageMap): string {
  const rows = new Map<string, { lines: Count; branches: Count }>();
  const none = { total: 0, covered: 0 };
  for (const file of map.files()) {
    const { lines, branches } = map.fileCoverageFor(file).toSummary();
    const directory = path.join('src', path.relative(SRC, path.dirname(file)));
    for (const name of [directory, 'all of src']) {
      const row = rows.get(name) ?? { lines: none, branches: none };
      rows.set(name, { lines: sum(row.lines, lines), branches: sum(row.branches, branches) });
    }
  }
  const cells = [...rows]
    .sort(([one], [other]) =>
      one === 'all of src' ? 1 : other === 'all of src' ? -1 : one.localeCompare(other),
    )
    .map(([name, row]) => [name, percent(row.lines), percent(row.branches)]);
  return [['coverage', 'lines', 'branches'], ...cells]
    .map(
      ([name = '', ...figures]) => `${name.padEnd(26)}${figures.map((text) => text.padStart(10)).join('')}`,
    )
    .join('\n');
}

function sum(one: Count, other: Count): Count {
  return { total: one.total + other.total, covered: one.covered + other.covered };
}

function percent({ total, covered }: Count): string {
  return total === 0 ? '-' : `${((100 * covered) / total).toFixed(1)} %`;
}
