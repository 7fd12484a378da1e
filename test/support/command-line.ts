import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { checkout } from '../lab/checkout.js';

/** The program as `npm run build` leaves it. */
export const MAIN = join(checkout, 'dist/bundle/main.js');

/** The user without rights of its own. */
export const NOBODY = 65534;

/** How a program ended, and what it wrote to standard output and standard error. */
export interface Ended {
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
}

/** Runs `subflowd` with these arguments. */
export async function cli(args: readonly string[]): Promise<Ended> {
  return runCommand([process.execPath, MAIN, ...args]);
}

/** Runs `subflowd` as a user who may read every file, wherever the checkout is, but may write to none of root's. */
export async function cliAsNobody(args: readonly string[]): Promise<Ended> {
  const capability = '+dac_read_search';
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const setpriv = ['setpriv', ...user, `--inh-caps=${capability}`, `--ambient-caps=${capability}`];
  return runCommand([...setpriv, process.execPath, MAIN, ...args]);
}

/** Runs `subflowd` in its own mount and network namespaces. @param change lines of shell that run there first. */
export async function cliInNamespaces(change: string, args: readonly string[]): Promise<Ended> {
  const script = `set -e; ${change}; exec "$@"`;
  return runCommand([
    'unshare',
    '--mount',
    '--net',
    'sh',
    '-c',
    script,
    'sh',
    process.execPath,
    MAIN,
    ...args,
  ]);
}

/** @throws {Error} if the program is not built. */
async function runCommand([file = '', ...args]: readonly string[]): Promise<Ended> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run "npm run build" first`);
  const result = await execa(file, args, { reject: false, timeout: 60_000, stripFinalNewline: false });
  return { code: result.exitCode, out: result.stdout, err: result.stderr };
}

/** What {@link writeIni} can say differently from its defaults. */
export interface IniSettings {
  /** The name of its one `[openvpn]` section; `lab` by default. */
  readonly server?: string;
  /** Of `[default]`; `wifi` by default. */
  readonly primary?: string;
  readonly overrides?: string;
  /** Lines at the end, from line 12 on. They begin in `[console]`. */
  readonly lines?: readonly string[];
}

/**
 * Writes a config without a mistake: one server, the paths `wifi` and `lte`, a rule, and the console at `console.sock`.
 * @returns the file, `subflowd.ini` in the directory.
 */
export function writeIni(directory: string, settings: IniSettings = {}): string {
  const {
    server = 'lab',
    primary = 'wifi',
    overrides = `${directory}/overrides.json`,
    lines = [],
  } = settings;
  const file = join(directory, 'subflowd.ini');
  const text = [
    `[openvpn ${server}]`,
    `events = ${directory}/events`,
    '[path wifi]',
    'prefix = 192.168.100.0/24',
    '[path lte]',
    'prefix = 192.168.200.0/24',
    '[default]',
    `primary = ${primary}`,
    '[console]',
    `socket = ${directory}/console.sock`,
    `overrides = ${overrides}`,
    ...lines,
    '',
  ];
  writeFileSync(file, text.join('\n'));
  return file;
}
