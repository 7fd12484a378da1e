import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Course } from './bench.js';
import type { Outcome } from './figure.js';
import { OUTCOME } from './guest.js';

/** Runs a benchmark as a script in a guest, `SCRIPT DIRECTORY [quick]`, and writes its outcome to the directory. */
export async function runInGuestScript(run: (course: Course) => Promise<Outcome>): Promise<void> {
  const [output = 'out', quick] = process.argv.slice(2);
  const startMs = Date.now();
  const outcome = await run({
    quick: quick !== undefined,
    rounds: quick === undefined ? 9 : 3,
    roundMs: quick === undefined ? 300 : 50,
    warmMs: quick === undefined ? 5000 : 0,
    output,
    say: (text) =>
      process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1)} s in the guest: ${text}\n`),
  });
  await writeFile(path.join(output, OUTCOME), JSON.stringify(outcome));
}
