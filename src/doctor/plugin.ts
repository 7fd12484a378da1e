import { readFileSync } from 'node:fs';
import { note, ok, type Check } from '../model/check.js';

/** The name of the plugin's file. */
export const PLUGIN_FILE = 'subflowd-plugin.so';
/** How to fix it that the plugin does not record sessions. */
export const PLUGIN_REMEDY =
  'look for "PLUGIN subflowd" in its log: the plugin says there which events directory it uses, or why it cannot open ' +
  'it; clients that connected before the plugin was loaded are recorded when they reconnect';

/** What is known of the plugin of one server. */
export interface PluginFacts {
  /** The path in the server's config; absent if the config does not have the plugin. */
  readonly plugin?: string;
  /** Whether the process has loaded it; absent if that cannot be read. */
  readonly isPluginLoaded?: boolean;
  /** Whether the config has subflowd's script for client-connect, too. */
  readonly isScriptOurs?: true;
}

/**
 * Reports that the plugin records the sessions of a server. It does no harm that its line stands twice, so that is not
 * reported.
 * @param what names the server.
 */
export function checkPlugin(what: string, { plugin, isPluginLoaded, isScriptOurs }: PluginFacts): Check[] {
  if (plugin === undefined) return [];
  if (isPluginLoaded === false) {
    const found = `its config has the plugin ${plugin}, but the process has not loaded it`;
    return [note(what, found, 'restart this OpenVPN: it reads its config only at its start')];
  }
  if (isScriptOurs === true) {
    return [
      note(
        what,
        `the plugin ${plugin} and the script client-connect both record each session: OpenVPN serves nobody while the ` +
          'script runs, and where a script cannot run it refuses each client',
        'remove client-connect and client-disconnect of subflowd from its config',
      ),
    ];
  }
  return [ok(what, `the plugin ${plugin} reports its sessions`)];
}

/** @returns whether a process has the plugin in its memory; undefined if that cannot be read. */
export function hasLoadedPlugin(pid: number): boolean | undefined {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8').includes(`/${PLUGIN_FILE}`);
  } catch {
    return undefined;
  }
}
