import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withCleanup } from '../lab/cleanup.js';
import { networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { writeRules } from '../lab/sidecar-files.js';
import { Sidecar } from '../lab/sidecar.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { until } from '../support/until.js';
import { Asker } from './asker.js';
import type { Bench, Course } from './bench.js';
import type { Figure, Goal } from './figure.js';
import { ratios, spreadOf } from './rounds.js';

/** Milliseconds until a relay must listen. */
const PATIENCE_MS = 60_000;
/** The number of clients, or of commands under way. */
const MANY = 50;

/**
 * Answers per second in each round, by what is measured: a direct line to OpenVPN, the pipe or a console. `Ahead`: one client
 * has 50 commands under way. `Many`: 50 clients have one each. Otherwise one client has one.
 */
type Rates = Record<
  'direct' | 'directAhead' | 'pipe' | 'pipeAhead' | 'ours' | 'oursAhead' | 'oursMany',
  number[]
>;

/**
 * OpenVPN serves one management client, so the direct line has one client. As many commands are under way on it as at the
 * console. With one command, a client waits for each answer, and the hops take the time. With 50 commands, from one client
 * that sends them ahead or from 50 clients that wait, the work takes the time. The pipe is the simplest possible relay.
 */
export const consoleBench: Bench = {
  name: 'console',
  about:
    'answers to status 3 in a second at a console with 1 and 50 clients, against a direct line to the same OpenVPN with ' +
    'as many commands under way, and against a bare pipe',
  needs: networkNeeds,
  async run(course) {
    return withCleanup(async (cleanup) => {
      const stage = await buildStage(cleanup, { logs: course.output, backend: 'netlink' });
      await writeRules(stage.files, figure6Paths, { '*': 'wifi' });
      await stage.connect(0, 'alice');
      const rates: Rates = { direct: [], directAhead: [], pipe: [], pipeAhead: [], ours: [], oursAhead: [], oursMany: [] }; // prettier-ignore
      // One after the other, because OpenVPN serves one client at a time.
      for (let round = 0; round < (course.quick ? 2 : 7); round++) {
        course.say(`round ${round + 1}`);
        await measureDirect(stage, course, rates);
        await measurePipe(stage, course, rates);
        await measureOurs(stage, course, rates);
      }
      return { figures: figuresOf(rates) };
    });
  },
};

function figuresOf(rates: Rates): Figure[] {
  const figure = (
    name: string,
    ours: keyof Rates,
    theirs: 'direct' | 'directAhead',
    goal?: Goal,
  ): Figure => ({
    name,
    against: `a direct line with ${theirs === 'direct' ? 1 : MANY} under way`,
    where: 'this machine',
    ratio: spreadOf(ratios(rates[ours], rates[theirs])),
    ...(goal && { goal }),
    ours: spreadOf(rates[ours]),
    theirs: spreadOf(rates[theirs]),
    unit: 'commands/s',
  });
  const goal: Goal = { is: 'at least', value: 0.9 };
  return [
    figure(`status 3 at a console, 1 client that sends ${MANY} ahead`, 'oursAhead', 'directAhead', goal),
    figure(`status 3 at a console, ${MANY} clients that wait for each`, 'oursMany', 'directAhead', goal),
    figure('status 3 at a console, 1 client that waits for each', 'ours', 'direct', goal),
    figure(`a bare pipe instead, 1 client that sends ${MANY} ahead`, 'pipeAhead', 'directAhead'),
    figure('a bare pipe instead, 1 client that waits for each', 'pipe', 'direct'),
  ];
}

async function measureDirect(stage: Stage, course: Course, rates: Rates): Promise<void> {
  const asker = await Asker.join(stage.files.management, passwordOf(stage));
  try {
    rates.direct.push(await measureRate([asker], 1, course));
    rates.directAhead.push(await measureRate([asker], MANY, course));
  } finally {
    asker.close();
  }
}

async function measurePipe(stage: Stage, course: Course, rates: Rates): Promise<void> {
  const { network, files } = stage;
  const socket = path.join(path.dirname(files.console), 'pipe.sock');
  const program = fileURLToPath(new URL('pipe.js', import.meta.url));
  const pipe = network.server.start(process.execPath, [program, socket, files.management]);
  let asker: Asker | undefined;
  try {
    asker = await until('the pipe', () => tryToJoin(socket, passwordOf(stage)), PATIENCE_MS);
    rates.pipe.push(await measureRate([asker], 1, course));
    rates.pipeAhead.push(await measureRate([asker], MANY, course));
  } finally {
    asker?.close();
    pipe.kill('SIGKILL');
    await pipe;
    rmSync(socket, { force: true });
  }
}

async function measureOurs({ network, files }: Stage, course: Course, rates: Rates): Promise<void> {
  const sidecar = Sidecar.start(network.server, files.config, path.join(course.output, 'subflowd.log'));
  const socket = path.join(path.dirname(files.console), 'lab.sock');
  const askers: Asker[] = [];
  try {
    askers.push(await until('the console', () => tryToJoin(socket), PATIENCE_MS));
    while (askers.length < MANY) askers.push(await Asker.join(socket));
    rates.ours.push(await measureRate(askers.slice(0, 1), 1, course));
    rates.oursAhead.push(await measureRate(askers.slice(0, 1), MANY, course));
    rates.oursMany.push(await measureRate(askers, 1, course));
  } finally {
    for (const asker of askers) asker.close();
    await sidecar.stop();
  }
}

function passwordOf({ files }: Stage): string {
  return readFileSync(files.passwordFile, 'utf8');
}

/** Connects to a socket. @returns undefined if no process listens yet. */
async function tryToJoin(socket: string, password?: string): Promise<Asker | undefined> {
  return Asker.join(socket, password).catch((error: unknown) => {
    if (/ENOENT|ECONNREFUSED/.test(String(error))) return undefined;
    throw error;
  });
}

/** Answers per second to all askers together, each with `ahead` commands under way, after V8 had time to optimise. */
async function measureRate(
  askers: readonly Asker[],
  ahead: number,
  { quick, warmMs }: Course,
): Promise<number> {
  const ask = (forMs: number) => {
    const end = performance.now() + forMs;
    return Promise.all(askers.map((asker) => asker.ask(end, ahead)));
  };
  await ask(warmMs);
  const start = performance.now();
  const counts = await ask(quick ? 300 : 1500);
  const seconds = (performance.now() - start) / 1000;
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}
