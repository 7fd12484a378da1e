import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import { checkout } from '../lab/checkout.js';

const native = path.join(checkout, 'test/bench/native');
const program = path.join(checkout, 'build/bench-floor');
const sources = [
  ...['main.cc', 'switches.cc', 'walk.cc'].map((name) => path.join(native, name)),
  ...['guarded-commit.cc', 'physical-memory.cc'].map((name) => path.join(checkout, 'native', name)),
];

/**
 * Compiles what subflowd is measured against; a few seconds. Not in the guest, whose compiler is an emulated one.
 * @returns the program: the file given, or the one that {@link Floor} starts.
 */
export async function buildFloor(file = program): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  await execa('g++', ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-o', file, ...sources]);
  return file;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** The C++ program that does the least that has to be done, or another that is driven alike, in a process of its own. */
export class Floor {
  /** What starts it, for who starts it through another program. */
  static readonly command: readonly [string] = [program];
  readonly #child: Child;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: Child) {
    this.#child = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** @param env variables that the processes it spawns have beside its own; @param command the program and its arguments. */
  static start({
    env = {},
    command: [first, ...rest] = Floor.command,
  }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly command?: readonly [string, ...string[]];
  } = {}): Floor {
    return new Floor(
      spawn(first, rest, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] }),
    );
  }

  /** One command and its answer; see native/main.cc. @throws {Error} with its words if it failed. */
  async ask(...words: readonly (string | number | bigint)[]): Promise<string> {
    this.#child.stdin.write(`${words.join(' ')}\n`);
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error(`the floor ended at: ${words.join(' ')}`);
    const line = answer.value;
    if (line.startsWith('error ')) throw new Error(`floor, ${words.join(' ')}: ${line.slice(6)}`);
    return line;
  }

  /** @returns nanoseconds for `count` repetitions of a command. */
  async time(command: string, count: number, ...words: readonly string[]): Promise<number> {
    return Number((await this.ask(command, count, ...words)).split(' ')[0]);
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}
