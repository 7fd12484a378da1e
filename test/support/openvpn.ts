import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { openvpnProgram } from '../lab/openvpn-program.js';
import {
  clientArguments,
  serverConfig,
  type ClientSettings,
  type ServerSettings,
} from './loopback-config.js';
import { TestAuthority, writeConfigWithoutPss } from './test-authority.js';
import { until } from './until.js';

export type { ClientSettings, ServerSettings } from './loopback-config.js';
export { openvpnBefore } from './openvpn-version.js';

const HOOKS = resolve(import.meta.dirname, '../../hooks');

/** A program that a test started. `log` returns its output. */
export interface Running {
  readonly pid: number;
  log(): string;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Real OpenVPN servers and clients on the loopback device of their own network namespace. */
export class LoopbackVpn {
  /** A copy of the hooks that every user can run, because OpenVPN's user may not be allowed into the checkout. */
  readonly hooks: string;
  /** The file with the password of the management interface. */
  readonly passwordFile: string;
  readonly #namespace: string;
  readonly #running = new Set<Running>();
  #count = 0;

  private constructor(
    readonly directory: string,
    private readonly authority: TestAuthority,
  ) {
    this.#namespace = `subflowd-${randomBytes(4).toString('hex')}`;
    this.hooks = mkdtempSync('/usr/local/lib/subflowd-test-');
    cpSync(HOOKS, this.hooks, { recursive: true });
    this.passwordFile = this.at('password');
  }

  /** Creates the namespace and the certificate authority. */
  static async create(): Promise<LoopbackVpn> {
    const directory = mkdtempSync('/run/subflowd-test-');
    const vpn = new LoopbackVpn(directory, await TestAuthority.create(join(directory, 'pki')));
    // hooks that run as nobody must reach the events directory in it
    chmodSync(vpn.directory, 0o755);
    chmodSync(vpn.hooks, 0o755);
    writeFileSync(vpn.passwordFile, 'sesame and lilies\n', { mode: 0o600 });
    await execa('ip', ['netns', 'add', vpn.#namespace]);
    await execa('ip', ['-n', vpn.#namespace, 'link', 'set', 'lo', 'up']);
    await vpn.authority.issue('server', 'server');
    return vpn;
  }

  /** Ends all programs, and removes the namespace and all files. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.kill('SIGKILL')));
    await execa('ip', ['netns', 'del', this.#namespace]);
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.hooks, { recursive: true, force: true });
  }

  /** Starts a server. Resolves when clients can connect. */
  async server(settings: ServerSettings = {}): Promise<Running> {
    const isExternal = settings.externalKey === true;
    // 2.4 accepts no other key
    if (isExternal) await this.authority.issue('server', 'server', ['rsa:2048']);
    const config = this.at(`server${this.#count++}.conf`);
    const { hooks, passwordFile } = this;
    const { caLine } = this.authority;
    const credentials = this.authority.credentialLines('server');
    writeFileSync(config, serverConfig(settings, { credentials, caLine, hooks, passwordFile }).join('\n'));
    const openSslConfig = this.at('openssl.cnf');
    if (isExternal) writeConfigWithoutPss(openSslConfig);
    const server = this.#start(
      [...(settings.wrapper ?? []), openvpnProgram, '--config', config],
      isExternal ? { OPENSSL_CONF: openSslConfig } : {},
    );
    await this.#logHas(server, 'Initialization Sequence Completed');
    return server;
  }

  /** Starts a client. Resolves when it is connected. */
  async client(commonName: string, settings: ClientSettings = {}): Promise<Running> {
    const client = await this.knock(commonName, settings);
    await this.#logHas(client, 'Initialization Sequence Completed');
    return client;
  }

  /** Starts a client and does not wait for its connection. */
  async knock(commonName: string, settings: ClientSettings = {}): Promise<Running> {
    const name = `client${this.#count++}`;
    await this.authority.issue(name, commonName);
    const args = clientArguments(settings, this.authority.credentialLines(name));
    return this.#start([...(settings.wrapper ?? []), openvpnProgram, ...args]);
  }

  /** Encrypts a private key with a password. */
  async encrypt(name: string, password: string): Promise<void> {
    await this.authority.encrypt(name, password);
  }

  /** @returns the path of a file or socket with this name in {@link directory}. */
  at(name: string): string {
    return join(this.directory, name);
  }

  /** Path of a certificate or a key. */
  file(name: string, suffix: 'crt' | 'key'): string {
    return this.authority.file(name, suffix);
  }

  #start(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const log = this.at(`log${this.#count++}`);
    const fd = openSync(log, 'a');
    const child: ChildProcess = spawn('ip', ['netns', 'exec', this.#namespace, ...command], {
      stdio: ['ignore', fd, fd],
      env: { ...process.env, ...environment },
    });
    closeSync(fd);
    const { pid } = child;
    if (pid === undefined) throw new Error(`cannot start ${command.join(' ')}`);
    const exit = once(child, 'exit');
    const running: Running = {
      pid,
      log: () => readFileSync(log, 'utf8'),
      kill: async (signal = 'SIGTERM') => {
        if (child.exitCode === null && child.signalCode === null) {
          child.kill(signal);
          await exit;
        }
        this.#running.delete(running);
      },
    };
    this.#running.add(running);
    return running;
  }

  async #logHas(running: Running, text: string): Promise<void> {
    await until(`${text} in its log`, () => running.log().includes(text)).catch((error: unknown) => {
      throw new Error(`${String(error)}:\n${running.log()}`);
    });
  }
}
