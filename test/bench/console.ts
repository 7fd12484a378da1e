import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { Cleanup } from '../lab/cleanup.js';
import { networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { writeRules } from '../lab/sidecar-files.js';
import { Sidecar } from '../lab/sidecar.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { until } from '../lab/until.js';
import type { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { ratios, spreadOf } from './rounds.js';

const PATIENCE_MS = 60_000;
/** An answer that takes longer never comes. */
const ANSWER_MS = 5_000;
const MANY = 50;

export const consoleBench: Bench = {
  name: 'console',
  about:
    'answers to status 3 in a second at a console with 1 and 50 clients, against a direct line to the same OpenVPN',
  needs: networkNeeds,
  async run(course) {
    const cleanup = new Cleanup();
    cleanup.onSignals();
    try {
      const stage = await buildStage(cleanup, { logs: course.output, backend: 'netlink' });
      await writeRules(stage.files, figure6Paths, { '*': 'wifi' });
      await stage.connect(0, 'alice');
      const forMs = course.quick ? 300 : 1500;
      const rates = { direct: [] as number[], one: [] as number[], many: [] as number[] };
      // OpenVPN serves one management client: the daemon has to leave for the direct line
      for (let round = 0; round < (course.quick ? 2 : 7); round++) {
        course.say(`round ${round + 1}`);
        const direct = await Asker.join(
          stage.files.management,
          readFileSync(stage.files.passwordFile, 'utf8'),
        );
        rates.direct.push(await rate([direct], forMs));
        direct.close();
        const { console, stop } = await startSidecar(stage, course.output);
        const askers = await Promise.all(Array.from({ length: MANY }, () => Asker.join(console)));
        rates.one.push(await rate(askers.slice(0, 1), forMs));
        rates.many.push(await rate(askers, forMs));
        for (const asker of askers) asker.close();
        await stop();
      }
      const figure = (name: string, mine: readonly number[]): Figure => ({
        name,
        against: 'a direct line to the same OpenVPN',
        where: 'this machine',
        ratio: spreadOf(ratios(mine, rates.direct)),
        goal: { is: 'at least', value: 0.9 },
        ours: spreadOf(mine),
        theirs: spreadOf(rates.direct),
        unit: 'commands/s',
      });
      return {
        figures: [
          figure('status 3 at a console with 1 client', rates.one),
          figure(`status 3 at a console with ${MANY} clients`, rates.many),
        ],
      };
    } finally {
      await cleanup.run();
    }
  },
};

/** The daemon, connected to OpenVPN; and the console of that server. */
async function startSidecar(
  { network, files }: Stage,
  output: string,
): Promise<{ console: string; stop: () => Promise<void> }> {
  const sidecar = Sidecar.start(network.server, files.config, path.join(output, 'subflowd.log'));
  const console = path.join(path.dirname(files.console), 'lab.sock');
  try {
    await until('a console that OpenVPN answers at', PATIENCE_MS, async () => {
      const asker = await Asker.join(console).catch(() => undefined);
      const answered = await asker?.ask().then(
        () => true,
        () => undefined,
      );
      asker?.close();
      return answered;
    });
  } catch (error) {
    await sidecar.stop();
    throw error;
  }
  return { console, stop: () => sidecar.stop() };
}

/** Commands answered in a second, by all together; each asks again when it has its answer. */
async function rate(askers: readonly Asker[], forMs: number): Promise<number> {
  const start = performance.now();
  const counts = await Promise.all(
    askers.map(async (asker) => {
      let count = 0;
      for (; performance.now() - start < forMs; count++) await asker.ask();
      return count;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

/** One who asks `status 3` and waits for the whole answer. */
class Asker {
  readonly #socket: Socket;
  #text = '';
  #heard: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#text += text;
      this.#heard?.();
    });
    socket.on('error', () => undefined);
    socket.on('close', () =>
      this.#failed?.(new Error(`the line was closed after: ${this.#text.slice(-200)}`)),
    );
  }

  /** Resolves when it was greeted. */
  static async join(where: string, password?: string): Promise<Asker> {
    const socket = connect(where);
    await once(socket, 'connect');
    const asker = new Asker(socket);
    if (password !== undefined) {
      await asker.#hear('ENTER PASSWORD:');
      socket.write(`${password.trim()}\n`);
    }
    await asker.#hear(/>INFO:.*\r\n/);
    return asker;
  }

  async ask(): Promise<void> {
    this.#socket.write('status 3\n');
    await this.#hear('\r\nEND\r\n');
  }

  close(): void {
    this.#socket.destroy();
  }

  async #hear(what: string | RegExp): Promise<void> {
    const isHeard = () => (typeof what === 'string' ? this.#text.includes(what) : what.test(this.#text));
    if (!isHeard()) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`no answer came, but: ${JSON.stringify(this.#text.slice(-300))}`));
        }, ANSWER_MS);
        this.#failed = (error) => {
          clearTimeout(timer);
          reject(error);
        };
        this.#heard = () => {
          if (!isHeard()) return;
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#heard = this.#failed = undefined;
    this.#text = '';
  }
}
