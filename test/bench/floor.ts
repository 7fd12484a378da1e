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
 * Compiles the C++ program to compare with, in a few seconds. Do not call it in a guest, where that takes minutes.
 * @returns the program: the given file, or the one that {@link Floor} starts.
 */
export async function buildFloor(file = program): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  await execa('g++', ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-o', file, ...sources]);
  return file;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** A process of the C++ program that does only the necessary work, or of another program with the same commands. */
export class Floor {
  /** The command of the C++ program, for a caller that starts it through another program. */
  static readonly command: readonly [string] = [program];
  readonly #child: Child;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: Child) {
    this.#child = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** @param options.env more variables for the processes that it spawns. @param options.command the program and its arguments. */
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

  /** Sends a command (see native/main.cc). @returns the answer. @throws {Error} with the message if it failed. */
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
