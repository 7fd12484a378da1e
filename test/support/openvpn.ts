import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { openvpnProgram, withoutOffload } from '../lab/openvpn-program.js';
import { until } from './until.js';

const version = /^OpenVPN (\d+)\.(\d+)/.exec(
  spawnSync(openvpnProgram, ['--version'], { encoding: 'utf8' }).stdout,
);

/** Whether the OpenVPN that the tests run is older than MAJOR.MINOR. */
export function openvpnBefore(major: number, minor: number): boolean {
  const [ours, its] = [Number(version?.[1]), Number(version?.[2])];
  return ours < major || (ours === major && its < minor);
}

const HOOKS = resolve(import.meta.dirname, '../../hooks');

export interface ServerSettings {
  readonly ipv6?: boolean;
  /** Path of the management socket. */
  readonly management?: string;
  /** Number of the server in its namespace, for its port and its subnet; default 0. */
  readonly number?: number;
  /** The events directory. Without it, OpenVPN has no hooks. */
  readonly events?: string;
  /** The user that OpenVPN changes to after its start. */
  readonly user?: string;
  /** A program, with its arguments, that starts OpenVPN. */
  readonly wrapper?: readonly string[];
  /** OpenVPN asks the management interface for its certificate and the signatures of its key. */
  readonly externalKey?: boolean;
  readonly extra?: readonly string[];
}

const EC_KEY = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
export interface ClientSettings {
  readonly ipv6?: boolean;
  readonly udp?: boolean;
  /** The server's; default 0. */
  readonly number?: number;
  readonly config?: string;
  readonly localPort?: number;
  /** A program, with its arguments, that starts OpenVPN. */
  readonly wrapper?: readonly string[];
}

/** A program that a test started. `log` returns its output. */
export interface Running {
  readonly pid: number;
  log(): string;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Real OpenVPN servers and clients on the loopback device of a network namespace of their own. */
export class LoopbackVpn {
  readonly directory: string;
  /** A copy of the hooks that every user can run, because OpenVPN's user may not be allowed into the checkout. */
  readonly hooks: string;
  readonly passwordFile: string;
  readonly #namespace: string;
  readonly #running = new Set<Running>();
  #count = 0;

  private constructor() {
    const id = randomBytes(4).toString('hex');
    this.#namespace = `subflowd-${id}`;
    this.directory = mkdtempSync(`/run/subflowd-test-`);
    this.hooks = mkdtempSync('/usr/local/lib/subflowd-test-');
    cpSync(HOOKS, this.hooks, { recursive: true });
    this.passwordFile = join(this.directory, 'password');
  }

  static async create(): Promise<LoopbackVpn> {
    const vpn = new LoopbackVpn();
    // hooks that run as nobody must reach the events directory in it
    chmodSync(vpn.directory, 0o755);
    chmodSync(vpn.hooks, 0o755);
    writeFileSync(vpn.passwordFile, 'sesame and lilies\n', { mode: 0o600 });
    await execa('ip', ['netns', 'add', vpn.#namespace]);
    await execa('ip', ['-n', vpn.#namespace, 'link', 'set', 'lo', 'up']);
    await vpn.#makeAuthority();
    return vpn;
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.kill('SIGKILL')));
    await execa('ip', ['netns', 'del', this.#namespace]);
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.hooks, { recursive: true, force: true });
  }

  /** Starts a server. Resolves when clients can connect. */
  async server(settings: ServerSettings = {}): Promise<Running> {
    // 2.4 accepts no other key
    if (settings.externalKey === true) await this.#issue('server', 'server', ['rsa:2048']);
    const number = settings.number ?? 0;
    const subnet = `10.${8 + number}.0`;
    const config = join(this.directory, `server${this.#count++}.conf`);
    const lines = [
      'mode server',
      'tls-server',
      settings.ipv6 === true ? 'proto tcp6-server' : 'proto tcp-server',
      settings.ipv6 === true ? 'local ::1' : 'local 127.0.0.1',
      `port ${1194 + number}`,
      'dev tun',
      'topology subnet',
      `ifconfig ${subnet}.1 255.255.255.0`,
      `ifconfig-pool ${subnet}.2 ${subnet}.100 255.255.255.0`,
      'push "topology subnet"',
      ...withoutOffload,
      'dh none',
      'duplicate-cn',
      'keepalive 1 30',
      ...(settings.externalKey === true
        ? [
            this.#authority(),
            'management-external-cert a-token',
            // 2.5 needs these parameters, 2.4 refuses them
            openvpnBefore(2, 6) && !openvpnBefore(2, 5)
              ? 'management-external-key nopadding pkcs1'
              : 'management-external-key',
            // since TLS 1.3 every RSA signature is PSS, which 2.4 does not support
            'tls-version-max 1.2',
          ]
        : this.#credentials('server')),
      'script-security 2',
      ...(settings.events === undefined
        ? []
        : [
            `setenv SUBFLOWD_EVENTS ${settings.events}`,
            `client-connect ${this.hooks}/client-connect`,
            `client-disconnect ${this.hooks}/client-disconnect`,
          ]),
      ...(settings.management !== undefined
        ? [`management ${settings.management} unix ${this.passwordFile}`]
        : []),
      ...(settings.user === undefined
        ? []
        : [`user ${settings.user}`, 'group nogroup', 'persist-key', 'persist-tun']),
      ...(settings.extra ?? []),
    ];
    writeFileSync(config, lines.join('\n'));
    const server = this.#start(
      [...(settings.wrapper ?? []), openvpnProgram, '--config', config],
      settings.externalKey === true ? { OPENSSL_CONF: this.#withoutPss() } : {},
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
    await this.#issue(name, commonName);
    return this.#start([
      ...(settings.wrapper ?? []),
      openvpnProgram,
      ...(settings.config === undefined ? [] : ['--config', settings.config]),
      ...['--client', '--dev', 'tun', '--verb', '3', '--connect-retry', '1'],
      ...['--port', String(1194 + (settings.number ?? 0))],
      ...(settings.localPort === undefined ? ['--nobind'] : ['--lport', String(settings.localPort)]),
      ...(settings.ipv6 === true
        ? ['--proto', 'tcp6-client', '--remote', '::1']
        : ['--proto', settings.udp === true ? 'udp4' : 'tcp4-client']),
      ...(settings.ipv6 === true ? [] : ['--remote', '127.0.0.1']),
      ...['--ifconfig-noexec', '--route-noexec'],
      ...asArguments(withoutOffload),
      ...asArguments(this.#credentials(name)),
    ]);
  }

  /** Encrypts a private key with a password. */
  async encrypt(name: string, password: string): Promise<void> {
    const file = this.file(name, 'key');
    await execa('openssl', [
      'pkey',
      '-in',
      file,
      '-aes256',
      '-passout',
      `pass:${password}`,
      '-out',
      `${file}.new`,
    ]);
    renameSync(`${file}.new`, file);
  }

  /** Path of an OpenSSL config with the RSA signatures that every version of OpenVPN can request. */
  #withoutPss(): string {
    const file = join(this.directory, 'openssl.cnf');
    const section = (name: string, line: string) => `[${name}]\n${line}\n`;
    writeFileSync(
      file,
      'openssl_conf = all\n' +
        section('all', 'ssl_conf = ssl') +
        section('ssl', 'system_default = signatures') +
        section('signatures', 'SignatureAlgorithms = RSA+SHA256:ECDSA+SHA256'),
    );
    return file;
  }

  #start(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const log = join(this.directory, `log${this.#count++}`);
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

  /** @returns the path of a file or socket with this name in {@link directory}. */
  at(name: string): string {
    return join(this.directory, name);
  }

  /** Path of a certificate or a key. */
  file(name: string, suffix: 'crt' | 'key'): string {
    return join(this.directory, 'pki', `${name}.${suffix}`);
  }

  #authority(): string {
    return `ca ${this.file('ca', 'crt')}`;
  }

  #credentials(name: string): string[] {
    return [this.#authority(), `cert ${this.file(name, 'crt')}`, `key ${this.file(name, 'key')}`];
  }

  async #makeAuthority(): Promise<void> {
    mkdirSync(join(this.directory, 'pki'));
    await this.#openssl('ca', 'test authority', EC_KEY, ['-x509', '-out', 'ca.crt', '-days', '2']);
    await this.#issue('server', 'server');
  }

  async #issue(name: string, commonName: string, key: readonly string[] = EC_KEY): Promise<void> {
    await this.#openssl(name, commonName, key, [
      ...['-x509', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-out', `${name}.crt`, '-days', '2'],
      ...['-addext', 'basicConstraints=CA:FALSE'],
    ]);
  }

  async #openssl(
    name: string,
    commonName: string,
    key: readonly string[],
    args: readonly string[],
  ): Promise<void> {
    const cwd = join(this.directory, 'pki');
    // OpenSSL's config needs escapes for backslash, quotes, # and $, and \n for a line end
    const value = commonName.replace(/[\\"'`#$;]/g, '\\$&').replaceAll('\n', '\\n');
    const config = [
      '[req]',
      'prompt = no',
      'utf8 = yes',
      'string_mask = utf8only',
      'distinguished_name = dn',
    ];
    const extensions = name === 'ca' ? ['x509_extensions = ca', '[ca]', 'basicConstraints = CA:TRUE'] : [];
    writeFileSync(
      join(cwd, `${name}.cnf`),
      [...config, ...extensions, '[dn]', `CN = ${value}`, ''].join('\n'),
    );
    await execa(
      'openssl',
      ['req', '-config', `${name}.cnf`, '-utf8', '-newkey'].concat(
        key,
        ['-nodes', '-keyout', `${name}.key`],
        args,
      ),
      { cwd },
    );
  }
}

/** Converts config lines without quotes to command-line arguments. */
function asArguments(lines: readonly string[]): string[] {
  return lines.flatMap((line) => `--${line}`.split(' '));
}
