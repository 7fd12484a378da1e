import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from '../lab/checkout.js';
import { guestOut, runInGuest } from '../lab/guest.js';
import { labKernel } from '../lab/kernel.js';
import type { Bench } from './bench.js';
import type { Outcome } from './figure.js';

/** What inside.ts leaves for this one. */
export const OUTCOME = 'inside.json';

/** A switch and a look on a real kernel's memory, in a guest that is booted with nopat so that it can be mapped. */
export const guestBench: Bench = {
  name: 'guest',
  about: "a switch and a look in a real kernel's memory, with the paper's way, ip and drgn beside them",
  needs: ['guest'],
  async run({ quick, output, say }) {
    const { bzImage: kernel, vmlinux } = await labKernel();
    say('booting the guest');
    const { code, output: text } = await runInGuest({
      kernel,
      append: 'nopat',
      out: output,
      timeoutMs: 900_000,
      command: [
        ...[process.execPath, path.join(checkout, 'dist/test/bench/inside.js')],
        ...[guestOut, vmlinux, ...(quick ? ['quick'] : [])],
      ],
      onOutput: (chunk) => {
        for (const line of chunk.split('\n')) if (line.trim() !== '') say(line.trim());
      },
    });
    if (code !== 0) throw new Error(`in the guest it ended with ${code}:\n${text}`);
    return JSON.parse(await readFile(path.join(output, OUTCOME), 'utf8')) as Outcome;
  },
};
