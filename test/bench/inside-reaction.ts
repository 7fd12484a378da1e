// A part of the benchmarks that runs in the guest: `inside-reaction DIRECTORY [quick]`. Leaves its outcome in the directory.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OUTCOME } from './guest.js';
import { react } from './reaction.js';

const [output = 'out', quick] = process.argv.slice(2);
const outcome = await react(
  {
    ...{ quick: quick !== undefined, output, rounds: 1, roundMs: 0, warmMs: 0 },
    say: (text) => process.stdout.write(`in the guest: ${text}\n`),
  },
  // an emulated machine encrypts little
  { backend: 'devmem', kbit: 400, where: 'guest, mapped' },
);
await writeFile(path.join(output, OUTCOME), JSON.stringify(outcome));
