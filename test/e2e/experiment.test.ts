import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { checkout, labScript } from '../lab/checkout.js';
import type { LoadKind } from '../lab/crowd/load.js';
import type { CrowdReport, RunReport } from '../lab/crowd/report.js';
import { mean } from '../lab/crowd/statistics.js';
import { completions, delivered } from '../lab/crowd/table.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

function experiment(args: readonly string[]) {
  return execa(process.execPath, [labScript('crowd/main'), ...args], {
    cwd: checkout,
    all: true,
    reject: false,
  });
}

function offered({ accessPoints }: RunReport): number {
  return Math.max(
    ...Object.values(accessPoints).map(({ offeredInSecondHalfMbit }) => offeredInSecondHalfMbit ?? NaN),
  );
}

describe('the experiment: a crowd on one access point', () => {
  needs(...networkNeeds);

  test('with balance less load is offered to it, more is delivered, and downloads end sooner and more evenly', async () => {
    const out = temporaryDirectory();
    // The other arrangements prove nothing more here; `npm run experiment` has them.
    const short = ['--duration', '20', '--bytes', '6000000', '--only', 'constant,downloads,a,d'];
    const { exitCode, all } = await experiment(['--output', out, ...short]);
    // The experiment itself fails if a client reconnects or receives wrong bytes.
    expect(exitCode, all).toBe(0);
    const report = JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as CrowdReport;
    const run = (load: LoadKind, letter: string) => {
      const found = report.runs.find((one) => one.load === load && one.arrangement === letter);
      if (!found) throw new Error(`there is no run ${load} (${letter})`);
      return found;
    };
    expect(report.runs).toHaveLength(4);

    const crowded = run('constant', 'a');
    const spread = run('constant', 'd');
    // Ten clients send 2.7 Mbit/s each, so at least 27 Mbit/s are offered to an access point of 20 Mbit/s.
    expect(offered(crowded)).toBeGreaterThan(27);
    expect(offered(spread) / offered(crowded)).toBeLessThan(0.85);
    const [before, after] = [crowded, spread].map(({ clients }) => mean(delivered(clients, true)));
    expect(before).toBeLessThan(0.85);
    expect((after ?? 0) / (before ?? 1)).toBeGreaterThan(1.15);
    // The clients of ISP B lose little, and only while subflowd measures their load.
    expect(mean(delivered(spread.clients, false))).toBeGreaterThan(0.75);
    expect(spread.moves.length).toBeGreaterThan(0);
    expect(spread.moves.length).toBeLessThan(20);
    expect(crowded.moves).toEqual([]);

    const slow = run('downloads', 'a');
    const quick = run('downloads', 'd');
    expect(mean(completions(quick.clients)) / mean(completions(slow.clients))).toBeLessThan(0.95);
    expect(quick.jain - slow.jain).toBeGreaterThan(0.1);

    const page = await readFile(path.join(out, 'index.html'), 'utf8');
    expect(page.match(/<svg/g)).toHaveLength(6);
    // The page loads no other file.
    expect(page).not.toMatch(/<(script|link|img)\b|@import|url\(http/);
    for (const name of ['load', 'goodput', 'moves'])
      for (const kind of ['constant', 'downloads'])
        expect(existsSync(path.join(out, `${name}-${kind}.svg`))).toBe(true);
  }, 420_000);
});

describe('a wrong option', () => {
  test.each([
    [['--only', 'constant,f'], '“f” is not one of a, b, c, d, e, constant, changing, downloads.'],
    [['--duration', 'long'], 'It must be a whole number of at least 5.'],
    [['--bytes', '1'], 'It must be a whole number of at least 100000.'],
  ])('%j is refused, and the error names the accepted values', async (args, accepted) => {
    const { exitCode, stderr } = await experiment(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(accepted);
  });
});
