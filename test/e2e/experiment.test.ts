import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { checkout, labScript } from '../lab/checkout.js';
import type { LoadKind } from '../lab/crowd/load.js';
import type { CrowdReport, RunReport } from '../lab/crowd/report.js';
import { mean } from '../lab/crowd/statistics.js';
import { completions, delivered } from '../lab/crowd/table.js';
import { needs, networkNeeds } from '../lab/needs.js';

/** Runs the experiment with these arguments. */
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

  test('balance empties it: less offered, more delivered, downloads sooner and more alike', async () => {
    const out = await mkdtemp(path.join(tmpdir(), 'subflowd-experiment-'));
    try {
      const short = ['--duration', '20', '--bytes', '6000000'];
      const { exitCode, all } = await experiment(['--output', out, ...short]);
      // a client that reconnected and bytes that changed are failures of its own
      expect(exitCode, all).toBe(0);
      const report = JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as CrowdReport;
      const run = (load: LoadKind, letter: string) => {
        const found = report.runs.find((one) => one.load === load && one.arrangement === letter);
        if (!found) throw new Error(`there is no run ${load} (${letter})`);
        return found;
      };
      expect(report.runs).toHaveLength(8);

      const crowded = run('constant', 'a');
      const spread = run('constant', 'd');
      // ten at 2.7 Mbit/s on 20: what arithmetic says, if the load is the one that was meant
      expect(offered(crowded)).toBeGreaterThan(27);
      expect(offered(spread) / offered(crowded)).toBeLessThan(0.85);
      const [before, after] = [crowded, spread].map(({ clients }) => mean(delivered(clients, true)));
      expect(before).toBeLessThan(0.85);
      expect((after ?? 0) / (before ?? 1)).toBeGreaterThan(1.15);
      // nothing is taken from those that it does not serve, but for the seconds in which it learns of them
      expect(mean(delivered(spread.clients, false))).toBeGreaterThan(0.75);
      expect(spread.moves.length).toBeGreaterThan(0);
      expect(spread.moves.length).toBeLessThan(20);
      for (const still of ['a', 'b', 'c']) expect(run('constant', still).moves).toEqual([]);

      const slow = run('downloads', 'a');
      const quick = run('downloads', 'd');
      expect(mean(completions(quick.clients)) / mean(completions(slow.clients))).toBeLessThan(0.95);
      expect(quick.jain - slow.jain).toBeGreaterThan(0.1);

      const page = await readFile(path.join(out, 'index.html'), 'utf8');
      expect(page.match(/<svg/g)).toHaveLength(6);
      // self-contained
      expect(page).not.toMatch(/<(script|link|img)\b|@import|url\(http/);
      for (const name of ['load', 'goodput', 'moves'])
        for (const kind of ['constant', 'downloads'])
          expect(existsSync(path.join(out, `${name}-${kind}.svg`))).toBe(true);
    } finally {
      await rm(out, { recursive: true });
    }
  }, 600_000);
});

describe('what is asked for wrongly', () => {
  test.each([
    [['--only', 'constant,e'], 'There is no “e”; there are a, b, c, d, constant, downloads.'],
    [['--duration', 'long'], 'A whole number from 5 on is wanted.'],
    [['--bytes', '1'], 'A whole number from 100000 on is wanted.'],
  ])('%j is refused, with what is wanted', async (args, wanted) => {
    const { exitCode, stderr } = await experiment(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(wanted);
  });
});
