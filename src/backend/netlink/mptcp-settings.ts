import { runInNamespaceOf } from '../../util/run-in-namespace.js';
import type { MptcpSettings } from './path-manager-setting.js';

const DIRECTORY = '/proc/sys/net/mptcp';

/**
 * Reads the settings of MPTCP in the network namespace of a process. `/proc/sys/net` shows those of the reader's namespace.
 * @throws {Error} as {@link runInNamespaceOf} does.
 */
export async function readMptcpSettings(pid: number): Promise<MptcpSettings> {
  return parseMptcpSettings(await runInNamespaceOf(pid, ['grep', '-rs', '.', DIRECTORY]));
}

/** Parses lines of `FILE:VALUE`. */
export function parseMptcpSettings(text: string): MptcpSettings {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^\/proc\/sys\/net\/mptcp\/(\w+):(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) settings.set(name, value.trim());
  }
  return settings;
}
