import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from '../lab/checkout.js';
import { guestOut, runInGuest } from '../lab/guest.js';
import { labKernel } from '../lab/kernel.js';
import type { Bench, Course } from './bench.js';
import type { Outcome } from './figure.js';

/** The file that a benchmark in a guest writes. */
export const OUTCOME = 'inside.json';

/** A switch and an observation in a real kernel's memory. The guest is booted with nopat, so that memory can be mapped. */
export const guestBench: Bench = {
  name: 'guest',
  about: "a switch and an observation in a real kernel's memory, against the paper's walk, ip and drgn",
  needs: ['guest'],
  run: (course) => runInside(course, 'inside'),
};

/**
 * Runs one of this directory's scripts in a guest, as `SCRIPT DIRECTORY [quick]`.
 * @returns the outcome that it wrote to the directory.
 * @throws {Error} with its output, if it failed.
 */
export async function runInside({ quick, output, say }: Course, script: string): Promise<Outcome> {
  const { bzImage: kernel, vmlinux } = await labKernel();
  say('booting the guest');
  const { code, output: text } = await runInGuest({
    kernel,
    vmlinux,
    append: 'nopat',
    out: output,
    timeoutMs: 1_800_000,
    command: [
      ...[process.execPath, path.join(checkout, `dist/test/bench/${script}.js`)],
      ...[guestOut, ...(quick ? ['quick'] : [])],
    ],
    onOutput: (chunk) => {
      for (const line of chunk.split('\n')) if (line.trim() !== '') say(line.trim());
    },
  });
  if (code !== 0) throw new Error(`${script} failed in the guest with ${code}:\n${text}`);
  return JSON.parse(await readFile(path.join(output, OUTCOME), 'utf8')) as Outcome;
}
