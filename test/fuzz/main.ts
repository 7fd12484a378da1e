import { Command, InvalidArgumentError, Option } from 'commander';
import { fuzz, keep } from './fuzz.js';
import { TARGETS } from './targets.js';

/** Reads a positive integer. */
function count(value: string): number {
  if (!/^[1-9]\d{0,11}$/.test(value)) throw new InvalidArgumentError('give a number from 1');
  return Number(value);
}

const program = new Command('npm run fuzz --')
  .description(
    'Tries what reads foreign text and bytes with inputs that are nearly right. An input that causes an error which is ' +
      'not allowed, or that takes too long, is made as small as possible and kept in test/fuzz/corpus.',
  )
  .addOption(new Option('--only <name>', 'this target alone').choices(TARGETS.map(({ name }) => name)))
  .option('--cases <count>', 'inputs for each target', count, 1_000_000)
  .option('--seed <number>', 'repeats a run', count, Math.floor(Math.random() * 2 ** 31) + 1)
  .parse();
const { only, cases, seed } = program.opts<{ only?: string; cases: number; seed: number }>();

console.log(`seed ${seed}`);
for (const target of TARGETS.filter(({ name }) => only === undefined || name === only)) {
  const start = performance.now();
  const { cases: tried, slowestMs, failure } = fuzz(target, cases, seed);
  const took = ((performance.now() - start) / 1000).toFixed(1);
  const end =
    failure === undefined ? 'no error' : `${failure.reason}: kept as ${keep(target, failure.input)}`;
  console.log(`${target.name}: ${tried} inputs in ${took} s, the slowest ${slowestMs.toFixed(1)} ms: ${end}`);
  if (failure !== undefined) process.exitCode = 1;
}
