// `npm run bench`: what subflowd costs, beside what would be used instead. Prints a table; leaves it with every round in a
// directory.
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
    'What subflowd costs, beside what would be used instead: ratios, measured side by side in turns, of which the ' +
      'least, the middle and the greatest round are shown. Absolute times are of this machine. Leaves bench.json, ' +
      'bench.md and growth.svg.',
  )
  .addOption(new Option('--only <name...>', 'these alone').choices(benches.map(({ name }) => name)))
  .option('--output <directory>', 'where the results go', 'out/bench')
  .option('--quick', 'few rounds and sessions: to see that it works, not to publish')
  .addHelpText(
    'after',
    `\nBenchmarks:\n${benches.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}\n\n` +
      'Exits with 1 if a benchmark failed; a goal that is not reached is shown, and no failure.',
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
say('compiling what it is measured against');
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
    // the next one may take a quarter of an hour, and may fail
    await leave();
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
    `${figures.filter((figure) => isReached(figure) === true).length} goals reached, ${missed.length} not; written to ${output}\n`,
);

/** What was measured so far. */
async function leave(): Promise<void> {
  const json = JSON.stringify({ machine, figures, growth }, undefined, 2);
  await writeFile(path.join(output, 'bench.json'), `${json}\n`);
  await writeFile(path.join(output, 'bench.md'), markdown(figures));
  if (growth.length > 0) {
    // without what who built it called it
    const [version = ''] = machine.kernel.split('-');
    await drawGrowth(path.join(output, 'growth.svg'), growth, version);
  }
}

function say(text: string): void {
  process.stderr.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
