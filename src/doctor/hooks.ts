import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServerStatus } from '../openvpn/server-status.js';
import { readRegularFile } from '../util/regular-file.js';
import { note, type Check } from '../model/check.js';
import { checkPlugin, hasLoadedPlugin, PLUGIN_FILE, PLUGIN_REMEDY } from './plugin.js';

/** The largest config of OpenVPN that is read, bytes. A config can contain keys and certificates. */
export const MAX_CONFIG_BYTES = 256 * 1024;
/** Working directories of OpenVPN in Debian's units. A process in a chroot no longer shows its own. */
const USUAL_DIRECTORIES = ['/etc/openvpn/server', '/etc/openvpn'];

/** The options of a server's config that concern hooks. */
export interface HookOptions {
  readonly file: string;
  /** Whether it has the option client-connect. */
  readonly connects: boolean;
  /** Whether that is the script of subflowd, by its name. */
  readonly isScriptOurs?: true;
  /** The path of subflowd's plugin; absent if the config does not have it. */
  readonly plugin?: string;
  /** Whether the process has loaded it; absent if that cannot be read. */
  readonly isPluginLoaded?: boolean;
  /** The directory of the option chroot; absent if the config does not have it. */
  readonly chroot?: string;
}

/**
 * Reports whether the plugin records the sessions, and notes sessions that neither it nor a hook recorded although one of
 * them is in use. The management interface reports these to the daemon too, but later.
 * @param optionsOf reads the config of a process. Tests without OpenVPN replace it.
 */
export async function checkHooks(
  server: ServerStatus,
  optionsOf: (pid: number) => Promise<HookOptions | undefined> = readHookOptions,
): Promise<Check[]> {
  const [pid] = server.pids;
  if (pid === undefined) return [];
  const options = await optionsOf(pid);
  const what = `server ${server.name}`;
  return [
    ...(options === undefined ? [] : checkPlugin(what, options)),
    ...checkUnrecorded(what, server, options),
  ];
}

function checkUnrecorded(
  what: string,
  { management, recorded, unrecorded = 0 }: ServerStatus,
  options: HookOptions | undefined,
): Check[] {
  if (management !== 'connected' || unrecorded === 0) return [];
  const { plugin } = options ?? {};
  if (recorded === 0 && options?.connects !== true && plugin === undefined) return [];
  const isPlugin = plugin !== undefined;
  const others = `but ${isPlugin ? 'it has' : 'they have'} recorded ${recorded} others`;
  const why =
    recorded > 0 ? others : `although ${options?.file ?? ''} has ${isPlugin ? 'it' : 'client-connect'}`;
  const who = isPlugin ? 'the plugin has' : 'the hooks have';
  const found = `${who} not recorded ${unrecorded} of its sessions, ${why}`;
  return [note(what, found, isPlugin ? PLUGIN_REMEDY : remedyOfScripts(options))];
}

function remedyOfScripts(options: HookOptions | undefined): string {
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
      if (text === undefined) continue;
      const options = { file, ...parseHookOptions(text) };
      const isPluginLoaded = options.plugin === undefined ? undefined : hasLoadedPlugin(pid);
      return { ...options, ...(isPluginLoaded !== undefined && { isPluginLoaded }) };
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
    const [, option = '', value = ''] = /^\s*(client-connect|chroot|plugin)\s+(\S.*?)\s*$/.exec(line) ?? [];
    const text = value.replace(/^(["'])(.*)\1$/, '$2');
    if (option === 'plugin' && !text.includes(PLUGIN_FILE)) continue;
    if (option !== '') values.set(option, text);
  }
  const chroot = values.get('chroot');
  const script = values.get('client-connect');
  const plugin = /[^\s"']*/.exec(values.get('plugin')?.replace(/^["']/, '') ?? '')?.[0];
  return {
    connects: script !== undefined,
    ...(script !== undefined &&
      /subflowd.*\/client-connect$/.test(script) &&
      ({ isScriptOurs: true } as const)),
    ...(chroot !== undefined && { chroot }),
    ...(plugin !== undefined && plugin !== '' && { plugin }),
  };
}

async function read(file: string): Promise<string | undefined> {
  try {
    return (await readRegularFile(file, MAX_CONFIG_BYTES)).toString();
  } catch {
    return undefined;
  }
}
