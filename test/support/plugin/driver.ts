import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import { checkout } from '../../lab/checkout.js';

const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];

/** In a chroot the leak detector finds no /proc. The plugin allocates nothing, which a test of its symbols proves. */
const ENVIRONMENT = { ASAN_OPTIONS: 'detect_leaks=0' };

/** Variables of OpenVPN by name. */
export type Variables = Readonly<Record<string, string>>;

/** Compiles a C program of this directory together with the plugin's source, with sanitizers. @returns the program. */
export async function compileWithPlugin(name: 'driver' | 'fuzz', directory: string): Promise<string> {
  const plugin = path.join(checkout, 'native/plugin');
  const sources = readdirSync(plugin).filter((file) => file.endsWith('.c'));
  const program = path.join(directory, name);
  await execa('gcc', [
    ...['-std=c11', '-D_GNU_SOURCE', '-g', '-O1', `-I${plugin}`, ...WARNINGS, ...SANITIZERS],
    ...['-o', program, path.join(checkout, 'test/support/plugin', `${name}.c`)],
    ...sources.map((file) => path.join(plugin, file)),
  ]);
  return program;
}

/** A process that calls the plugin as OpenVPN does. */
export class PluginDriver {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  /** @param command the compiled driver, after programs that start it. @param args the arguments of the plugin. */
  constructor(command: readonly string[], args: readonly string[]) {
    const [program = '', ...rest] = [...command, ...args];
    this.#child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT });
    this.#child.stderr.on('data', (data: Buffer) => (this.#errors += data.toString()));
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** What the plugin has logged, and what the sanitizers found. */
  get errors(): string {
    return this.#errors;
  }

  async open(variables: Variables = {}): Promise<void> {
    await this.#request('open', texts(variables));
  }

  /** OpenVPN has learned an address of a client. */
  async learn(variables: Variables, operation = 'add'): Promise<void> {
    await this.#request('learn', [operation, ...texts(variables)]);
  }

  async disconnect(variables: Variables): Promise<void> {
    await this.#request('disconnect', texts(variables));
  }

  /** Changes the user, the root or whether the plugin is open. */
  async change(what: 'user' | 'root' | 'close', ...values: readonly string[]): Promise<void> {
    await this.#request(what, values);
  }

  /** Ends the process. @returns its exit code. */
  async end(): Promise<number | null> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  /** @throws {Error} if the plugin does not answer success, changes errno, or the process has ended. */
  async #request(command: string, parts: readonly string[]): Promise<void> {
    const bytes = Buffer.from(parts.map((part) => `${part}\0`).join(''));
    this.#child.stdin.write(Buffer.concat([Buffer.from(`${command} ${bytes.length}\n`), bytes]));
    const answer = await this.#lines.next();
    const line = answer.done === true ? 'ended' : answer.value;
    const isChange = !['learn', 'disconnect'].includes(command);
    if (line !== '0 same' && !(isChange && line === '0 changed'))
      throw new Error(`${command}: ${line}\n${this.#errors}`);
  }
}

function texts(variables: Variables): string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}
