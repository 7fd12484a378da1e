// `npm run experiment`: figures 1 and 2 of the paper, with a crowd on one access point, in four arrangements under two
// loads. Writes what it measured, draws it and prints the tables.
import { mkdir, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { Cleanup } from '../cleanup.js';
import { hostLacks } from '../host.js';
import { openvpnVersion } from '../openvpn.js';
import { arrangements } from './arrangement.js';
import { accessPoints } from './isps.js';
import { congestionControl } from './congestion.js';
import { CONSTANT_MBIT } from './constant-rate.js';
import { expectedSeconds } from './expected.js';
import { loadKinds } from './load.js';
import { writePage } from './page.js';
import type { CrowdReport, RunReport } from './report.js';
import { runOnce } from './run.js';
import { rowsOf, tableOf } from './table.js';

interface Options {
  readonly output: string;
  readonly duration: number;
  readonly bytes: number;
  readonly seed: number;
  readonly only: readonly string[];
}

/** Lateness from which the machine, and not the access points, may decide what comes through. */
const BUSY_MS = 50;
const letters = arrangements.map(({ letter }) => letter);
const words: readonly string[] = [...letters, ...loadKinds];

const options = new Command('experiment')
  .description(
    [
      'A crowd on one access point, and what spreads it. Two ISPs, each with an access point of 20 Mbit/s: ten clients',
      'of ISP A’s VPN server that have both, two clients of ISP B’s server that have their own ISP’s. Real OpenVPN on',
      'this machine’s own kernel, in network namespaces, under two loads (UDP at a constant rate, and downloads of',
      'equal size), each in four arrangements:',
      ...arrangements.map(({ letter, description }) => `  ${letter}  ${description}`),
      '',
      'Exit code 0: every run went through; 1: one did not (a client lost, bytes that changed), or this machine cannot.',
    ].join('\n'),
  )
  .option(
    '--output <directory>',
    'where index.html, the plots, report.json and the logs go',
    'out/experiment',
  )
  .option('--duration <seconds>', 'of the constant rate in each run, from 5 on', atLeast(5), 60)
  .option('--bytes <bytes>', 'of each download, from 100000 on', atLeast(100_000), 20_000_000)
  .option('--seed <number>', 'decides which client begins when, within the first second', atLeast(0), 1)
  .option(
    '--only <words>',
    `some runs only: words of ${words.join(', ')}, as in constant,a,d`,
    someWords,
    words,
  )
  .parse()
  .opts<Options>();
const out = path.resolve(options.output);
const startMs = Date.now();
const cleanup = new Cleanup();
cleanup.onSignals();

const lacks = await hostLacks();
if (lacks === undefined) await experiment();
else {
  process.stderr.write(`this machine’s kernel will not do: ${lacks}\n`);
  process.exitCode = 1;
}

async function experiment(): Promise<void> {
  const chosen = wanted(loadKinds).flatMap((kind) =>
    wanted(letters).map((letter) => ({
      load: { kind, seconds: options.duration, bytes: options.bytes, seed: options.seed },
      arrangement: arrangements.find((one) => one.letter === letter) ?? arrangements[0],
    })),
  );
  const expected = chosen.map(({ load, arrangement }) => expectedSeconds(load, arrangement));
  await mkdir(out, { recursive: true });
  say(`${chosen.length} runs, about ${Math.ceil(sum(expected) / 60)} minutes`);

  const about: Omit<CrowdReport, 'runs'> = {
    date: new Date().toISOString(),
    kernel: release(),
    openvpn: await openvpnVersion(),
    congestionControl: await congestionControl(),
    seed: options.seed,
    constantMbit: CONSTANT_MBIT,
    downloadBytes: options.bytes,
    accessPoints: accessPoints.map(({ name, rateMbit }) => ({ name, capacityMbit: rateMbit })),
  };
  const runs: RunReport[] = [];
  const report: CrowdReport = { ...about, runs };
  for (const [index, { load, arrangement }] of chosen.entries()) {
    const { letter, title } = arrangement;
    const left = Math.round(sum(expected.slice(index)));
    say(
      `run ${index + 1} of ${chosen.length}: ${load.kind}, (${letter}) ${title}; about ${left} s left in all`,
    );
    const run = await runOnce(arrangement, load, path.join(out, `${load.kind}-${letter}`), cleanup);
    if (run.latenessMs > BUSY_MS)
      say(
        `this machine was busy: timers were ${Math.round(run.latenessMs)} ms late, and packets will have been`,
      );
    runs.push(run);
    // after each, so that a later one that fails takes nothing with it
    await writeFile(path.join(out, 'report.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  }
  await writePage(report, out);
  for (const kind of wanted(loadKinds)) process.stdout.write(`\n${kind}\n${tableOf(rowsOf(report, kind))}\n`);
  say(`written to ${out}: index.html, its plots as SVG, report.json, and the logs of each run`);
}

/** Those of them that were asked for; all where none was. */
function wanted<T extends string>(all: readonly T[]): readonly T[] {
  const some = all.filter((one) => options.only.includes(one));
  return some.length === 0 ? all : some;
}

function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`A whole number from ${least} on is wanted.`);
    return value;
  };
}

function someWords(text: string): string[] {
  const given = text.split(',').map((word) => word.trim());
  const unknown = given.find((word) => !words.includes(word));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no “${unknown}”; there are ${words.join(', ')}.`);
  return given;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}

function say(text: string): void {
  process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
