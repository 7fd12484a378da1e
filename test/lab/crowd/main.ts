// `npm run experiment`: figures 1 and 2 of the paper. Many clients on one access point, in five arrangements, under three
// loads. Writes the results and plots, and prints the tables.
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
import { BURST_MBIT, CONSTANT_MBIT } from './rates.js';
import { expectedSeconds } from './expected.js';
import { goalResults } from './goals.js';
import { loadKinds } from './load.js';
import { writePage } from './page.js';
import type { CrowdReport, RunReport } from './report.js';
import { runOnce } from './run.js';
import { goalRows, rowsOf, tableOf } from './table.js';

interface Options {
  readonly output: string;
  readonly duration: number;
  readonly bytes: number;
  readonly seed: number;
  readonly learn?: true;
  readonly only: readonly string[];
}

/** From this lateness of timers on, milliseconds, the machine and not the access points may limit the rates. */
const BUSY_MS = 50;
const letters = arrangements.map(({ letter }) => letter);
const words: readonly string[] = [...letters, ...loadKinds];

const options = new Command('experiment')
  .description(
    [
      'Measures a crowd on one access point. There are two ISPs, each with an access point of 20 Mbit/s. Ten clients of',
      'ISP A’s VPN server can use both access points. Two clients of ISP B’s server can use only their own ISP’s. Real',
      'OpenVPN runs on this machine’s kernel, in network namespaces. There are three loads (UDP at a constant rate, UDP in',
      'bursts at random moments, and downloads of equal size), each in five arrangements:',
      ...arrangements.map(({ letter, description }) => `  ${letter}  ${description}`),
      '',
      'Exit code 0: every run succeeded. 1: a run failed (a client reconnected, or received wrong bytes), or this machine',
      'cannot run the experiment.',
    ].join('\n'),
  )
  .option(
    '--output <directory>',
    'directory for index.html, the plots, report.json and the logs',
    'out/experiment',
  )
  .option('--duration <seconds>', 'duration of each run of UDP, at least 5', atLeast(5), 60)
  .option('--bytes <bytes>', 'size of each download, at least 100000', atLeast(100_000), 20_000_000)
  .option(
    '--seed <number>',
    'seed of the moments at which the clients begin, and of the bursts',
    atLeast(0),
    1,
  )
  .option('--learn', 'do not tell subflowd the capacities of the access points')
  .option(
    '--only <words>',
    `only these runs: words from ${words.join(', ')}, for example constant,a,d`,
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
  process.stderr.write(`this machine cannot run it: ${lacks}\n`);
  process.exitCode = 1;
}

async function experiment(): Promise<void> {
  const chosen = wanted(loadKinds).flatMap((kind) =>
    wanted(letters).map((letter) => ({
      load: { kind, seconds: options.duration, bytes: options.bytes, seed: options.seed },
      arrangement: arrangements.find((one) => one.letter === letter) ?? arrangements[0],
    })),
  );
  const capacities = options.learn ? 'learnt' : 'told';
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
    burstMbit: BURST_MBIT,
    downloadBytes: options.bytes,
    capacities,
    accessPoints: accessPoints.map(({ name, rateMbit }) => ({ name, capacityMbit: rateMbit })),
  };
  const runs: RunReport[] = [];
  const report: CrowdReport = { ...about, runs };
  for (const [index, { load, arrangement }] of chosen.entries()) {
    const { letter, title } = arrangement;
    const left = Math.round(sum(expected.slice(index)));
    say(`run ${index + 1} of ${chosen.length}: ${load.kind}, (${letter}) ${title}; about ${left} s left`);
    const run = await runOnce(
      arrangement,
      load,
      { out: path.join(out, `${load.kind}-${letter}`), capacities },
      cleanup,
    );
    if (run.latenessMs > BUSY_MS)
      say(
        `this machine was busy: timers were ${Math.round(run.latenessMs)} ms late, so packets were probably late, too`,
      );
    runs.push(run);
    // written after each run, so that no result is lost if a later run fails
    await writeFile(path.join(out, 'report.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  }
  await writePage(report, out);
  for (const kind of wanted(loadKinds)) process.stdout.write(`\n${kind}\n${tableOf(rowsOf(report, kind))}\n`);
  const goals = goalResults(report);
  if (goals.length > 0) process.stdout.write(`\n${tableOf(goalRows(goals))}\n`);
  say(`${out} contains index.html, its plots as SVG, report.json, and the logs of each run`);
}

/** @returns the values that --only names, or all if it names none of them. */
function wanted<T extends string>(all: readonly T[]): readonly T[] {
  const some = all.filter((one) => options.only.includes(one));
  return some.length === 0 ? all : some;
}

function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    return value;
  };
}

function someWords(text: string): string[] {
  const given = text.split(',').map((word) => word.trim());
  const unknown = given.find((word) => !words.includes(word));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`“${unknown}” is not one of ${words.join(', ')}.`);
  return given;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}

function say(text: string): void {
  process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
