import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServerStatus } from '../openvpn/server-status.js';
import { readRegularFile } from '../util/regular-file.js';
import { note, type Check } from './check.js';

/** Bytes of a config that are read; keys and certificates can stand in it. */
export const MOST_BYTES = 256 * 1024;
/** Where Debian's units run OpenVPN: a process in a chroot no longer shows where it was started. */
const USUAL_DIRECTORIES = ['/etc/openvpn/server', '/etc/openvpn'];

/** What a server's config says of hooks. */
export interface HookLines {
  readonly file: string;
  /** It has the option client-connect. */
  readonly connects: boolean;
  /** Directory that OpenVPN locks itself into. */
  readonly chroot?: string;
}

/**
 * Sessions that no hook recorded, where hooks are in use. Management tells of them all the same, later.
 * @param linesOf what the config of a process says; replaced by tests that have no OpenVPN at hand.
 */
export async function checkHooks(
  { name, management, pids, recorded, unrecorded = 0 }: ServerStatus,
  linesOf: (pid: number) => Promise<HookLines | undefined> = readHookLines,
): Promise<Check[]> {
  const [pid] = pids;
  if (management !== 'connected' || unrecorded === 0 || pid === undefined) return [];
  const lines = await linesOf(pid);
  if (recorded === 0 && lines?.connects !== true) return [];
  const why =
    recorded > 0 ? `though they recorded ${recorded}` : `though client-connect is in ${lines?.file ?? ''}`;
  const found = `the hooks have not recorded ${unrecorded} of its sessions, ${why}`;
  return [note(`server ${name}`, found, remedyOf(lines))];
}

function remedyOf(lines: HookLines | undefined): string {
  const log =
    'look for client-connect in its log; clients that came before the hooks are recorded when they reconnect';
  if (lines?.chroot === undefined)
    return `script-security 2 and both hooks of openvpn-conf/server.conf; ${log}`;
  return (
    `its config says chroot ${lines.chroot}: the hooks need /bin/sh, /bin/rm, themselves and the events directory in there ` +
    `at the same paths; ${log}`
  );
}

/** Reads the config that a process was started with; undefined if it cannot be found. */
export async function readHookLines(pid: number): Promise<HookLines | undefined> {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const after = (option: string) => words[words.indexOf(option) + 1 || words.length];
    const given = after('--config') ?? (words[1]?.startsWith('-') === false ? words[1] : undefined);
    if (given === undefined) return undefined;
    const places = [after('--cd') ?? '', readlinkSync(`/proc/${pid}/cwd`), ...USUAL_DIRECTORIES];
    for (const place of places.filter((path) => path !== '')) {
      const file = resolve(place, given);
      const text = await read(file);
      if (text !== undefined) return { file, ...parseHookLines(text) };
    }
  } catch {
    // it is gone, or not ours to look at: what the process is, other checks say
  }
  return undefined;
}

/** Finds the options in the text of a config; the last of each counts, as for OpenVPN. */
export function parseHookLines(text: string): Omit<HookLines, 'file'> {
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
    return (await readRegularFile(file, MOST_BYTES)).toString();
  } catch {
    return undefined;
  }
}
