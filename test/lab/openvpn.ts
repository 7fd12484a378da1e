import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { mptcpFamily } from './mptcp.js';
import type { Namespace, NamespaceProcess } from './namespace.js';
import { openvpnProgram } from './openvpn-program.js';
import { until } from '../support/until.js';

export const openvpnPort = 1194;
const ready = 'Initialization Sequence Completed';

/** One running OpenVPN process in a namespace. */
export class OpenvpnProcess {
  private constructor(
    readonly name: string,
    readonly pid: number,
    readonly logFile: string,
    private readonly child: NamespaceProcess,
  ) {}

  /**
   * Starts OpenVPN with these lines as its config. On kernels with upstream MPTCP it runs under mptcpize.
   * @param name of its files in `directory`: `NAME.conf` and `NAME.log`.
   */
  static async start(
    namespace: Namespace,
    directory: string,
    name: string,
    lines: readonly string[],
    { mptcp = true }: { mptcp?: boolean } = {},
  ): Promise<OpenvpnProcess> {
    const config = path.join(directory, `${name}.conf`);
    const logFile = path.join(directory, `${name}.log`);
    await writeFile(
      config,
      [...lines, `log ${quote(logFile)}`, 'verb 3', 'machine-readable-output', ''].join('\n'),
    );
    const ask = mptcp && mptcpFamily() === 'upstream';
    const command = [...(ask ? ['mptcpize', 'run'] : []), openvpnProgram, '--config', config];
    const [program = openvpnProgram, ...args] = command;
    const child = namespace.start(program, args);
    if (child.pid === undefined)
      throw new Error(`openvpn ${name} could not be started: ${(await child).message ?? ''}`);
    return new OpenvpnProcess(name, child.pid, logFile, child);
  }

  async log(): Promise<string> {
    return existsSync(this.logFile) ? readFile(this.logFile, 'utf8') : '';
  }

  /**
   * Waits until the server serves or the client is connected.
   * @throws {Error} with the end of its log if it ended or `timeoutMs` passed.
   */
  async ready(timeoutMs = 180_000): Promise<void> {
    try {
      await until(
        `openvpn ${this.name}`,
        async () => {
          if ((await this.log()).includes(ready)) return true;
          if (this.child.exitCode !== null)
            throw new Error(`openvpn ${this.name} ended with ${this.child.exitCode}`);
          return undefined;
        },
        timeoutMs,
      );
    } catch (error) {
      const log = (await this.log()).split('\n').slice(-15).join('\n');
      const { stdout, stderr } = this.child.exitCode === null ? { stdout: '', stderr: '' } : await this.child;
      throw new Error(`${String(error)}; its log ends:\n${log}\n${stdout}${stderr}`, {
        cause: error,
      });
    }
  }

  /** How often a client reconnected. */
  async reconnects(): Promise<number> {
    return Math.max(0, (await this.log()).split(ready).length - 2);
  }

  /** When it was ready for the first time, by its log: Unix time in milliseconds. */
  async readyAt(): Promise<number> {
    const line = (await this.log()).split('\n').find((text) => text.includes(ready));
    return line === undefined ? NaN : Number(line.split(' ')[0]) * 1000;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.child;
  }
}

/** Quotes a text so that it is one argument of a config line. */
export function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** The version that OpenVPN reports, such as `2.6.14`. */
export async function openvpnVersion(): Promise<string> {
  const { stdout } = await execa(openvpnProgram, ['--version'], { reject: false });
  return /^OpenVPN (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}
