import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServerStatus } from '../openvpn/server-status.js';
import { readRegularFile } from '../util/regular-file.js';
import { note, type Check } from '../model/check.js';

/** The largest config of OpenVPN that is read, bytes. A config can contain keys and certificates. */
export const MAX_CONFIG_BYTES = 256 * 1024;
/** Working directories of OpenVPN in Debian's units. A process in a chroot no longer shows its own. */
const USUAL_DIRECTORIES = ['/etc/openvpn/server', '/etc/openvpn'];

/** The options of a server's config that concern hooks. */
export interface HookOptions {
  readonly file: string;
  /** Whether it has the option client-connect. */
  readonly connects: boolean;
  /** The directory of the option chroot; absent if the config does not have it. */
  readonly chroot?: string;
}

/**
 * Notes sessions that no hook recorded although hooks are in use. The management interface reports these to the daemon
 * too, but later.
 * @param optionsOf reads the config of a process. Tests without OpenVPN replace it.
 */
export async function checkHooks(
  { name, management, pids, recorded, unrecorded = 0 }: ServerStatus,
  optionsOf: (pid: number) => Promise<HookOptions | undefined> = readHookOptions,
): Promise<Check[]> {
  const [pid] = pids;
  if (management !== 'connected' || unrecorded === 0 || pid === undefined) return [];
  const options = await optionsOf(pid);
  if (recorded === 0 && options?.connects !== true) return [];
  const why =
    recorded > 0
      ? `but they have recorded ${recorded} others`
      : `although ${options?.file ?? ''} has client-connect`;
  const found = `the hooks have not recorded ${unrecorded} of its sessions, ${why}`;
  return [note(`server ${name}`, found, remedyOf(options))];
}

function remedyOf(options: HookOptions | undefined): string {
  const log =
    'look for client-connect in its log; clients that connected before the hooks were set up are recorded when they reconnect';
  if (options?.chroot === undefined)
    return `add script-security 2 and both hooks of openvpn-conf/server.conf to its config; ${log}`;
  return (
    `its config has chroot ${options.chroot}: this directory must contain /bin/sh, /bin/rm, the hooks and the events ` +
    `directory at the same paths; ${log}`
  );
}

/** Reads the config that a process was started with; undefined if it cannot be found. */
export async function readHookOptions(pid: number): Promise<HookOptions | undefined> {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const after = (option: string) => words[words.indexOf(option) + 1 || words.length];
    const given = after('--config') ?? (words[1]?.startsWith('-') === false ? words[1] : undefined);
    if (given === undefined) return undefined;
    const places = [after('--cd') ?? '', readlinkSync(`/proc/${pid}/cwd`), ...USUAL_DIRECTORIES];
    for (const place of places.filter((path) => path !== '')) {
      const file = resolve(place, given);
      const text = await read(file);
      if (text !== undefined) return { file, ...parseHookOptions(text) };
    }
  } catch {
    // The process is gone, or we do not have the right to read it. Other checks report that.
  }
  return undefined;
}

/**
 * Finds the options in the text of a config. Of an option that is written twice, the last one counts, as in OpenVPN.
 */
export function parseHookOptions(text: string): Omit<HookOptions, 'file'> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, option = '', value = ''] = /^\s*(client-connect|chroot)\s+(\S.*?)\s*$/.exec(line) ?? [];
    if (option !== '') values.set(option, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  const chroot = values.get('chroot');
  return { connects: values.has('client-connect'), ...(chroot !== undefined && { chroot }) };
}

async function read(file: string): Promise<string | undefined> {
  try {
    return (await readRegularFile(file, MAX_CONFIG_BYTES)).toString();
  } catch {
    return undefined;
  }
}
