// `npm run bench`: measures what subflowd costs beside the usual alternatives. Prints a table, and writes the table and every
// round to a directory.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import path from 'node:path';
import { Command, Option } from 'commander';
import { lacking } from '../lab/needs.js';
import { openvpnVersion } from '../lab/openvpn.js';
import type { Course } from './bench.js';
import { isReached, type Figure, type Growth } from './figure.js';
import { buildFloor } from './floor.js';
import { benches } from './list.js';
import { drawGrowth } from './plot.js';
import { markdown, table } from './table.js';

interface Options {
  readonly only?: readonly string[];
  readonly output: string;
  readonly quick?: true;
}

const options = new Command('bench')
  .description(
    'Measures what subflowd costs beside the usual alternatives. Both run in turns, and each ratio has its least, middle ' +
      'and greatest round. Absolute times are those of this machine. Writes bench.json, bench.md and growth.svg.',
  )
  .addOption(
    new Option('--only <name...>', 'run only these benchmarks').choices(benches.map(({ name }) => name)),
  )
  .option('--output <directory>', 'directory for the results', 'out/bench')
  .option('--quick', 'few rounds and sessions: only to check that the benchmarks work')
  .addHelpText(
    'after',
    `\nBenchmarks:\n${benches.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}\n\n` +
      'Exit code 1: a benchmark failed. A missed goal is shown, but it is not a failure.',
  )
  .parse()
  .opts<Options>();

const startMs = Date.now();
const output = path.resolve(options.output);
await mkdir(output, { recursive: true });
const course: Course = {
  quick: options.quick === true,
  rounds: options.quick === true ? 3 : 15,
  roundMs: options.quick === true ? 20 : 100,
  warmMs: options.quick === true ? 0 : 1000,
  output,
  say,
};

const machine = {
  date: new Date().toISOString().slice(0, 10),
  kernel: release(),
  openvpn: await openvpnVersion(),
  node: process.versions.node,
  processor: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
};
const figures: (Figure & { readonly bench: string })[] = [];
const growth: Growth[] = [];
say('compiling the C++ programs to compare with');
await buildFloor();
for (const bench of benches) {
  const { name, needs } = bench;
  if (options.only?.includes(name) === false) continue;
  const why = lacking(...needs);
  if (why !== undefined) {
    say(`${name}: SKIPPED, ${why}`);
    continue;
  }
  try {
    const outcome = await bench.run({ ...course, say: (text) => { say(`${name}: ${text}`); } }); // prettier-ignore
    figures.push(...outcome.figures.map((figure) => ({ bench: name, ...figure })));
    growth.push(...(outcome.growth ?? []));
    // Written after each benchmark, so that a later failure loses nothing.
    await writeResults();
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${name} FAILED: ${(error as Error).stack ?? String(error)}\n`);
  }
}

const missed = figures.filter((figure) => isReached(figure) === false);
process.stdout.write(
  `${table(figures)}\n${Object.entries(machine)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')}\n` +
    `${figures.filter((figure) => isReached(figure) === true).length} goals reached, ${missed.length} missed; results in ${output}\n`,
);

/** Writes what was measured so far. */
async function writeResults(): Promise<void> {
  const json = JSON.stringify({ machine, figures, growth }, undefined, 2);
  await writeFile(path.join(output, 'bench.json'), `${json}\n`);
  await writeFile(path.join(output, 'bench.md'), markdown(figures));
  if (growth.length > 0) {
    // Without the suffix of the distribution.
    const [version = ''] = machine.kernel.split('-');
    await drawGrowth(path.join(output, 'growth.svg'), growth, version);
  }
}

function say(text: string): void {
  process.stderr.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
