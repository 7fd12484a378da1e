import { dirname } from 'node:path';
import { note, type Check } from '../model/check.js';
import { readConfigLines, repeatedHooks, repeatedHookText } from '../openvpn/config-file.js';
import type { ServerStatus } from '../openvpn/server-status.js';
import { readRegularFileSync } from '../util/regular-file.js';
import { MAX_CONFIG_BYTES, readHookOptions } from './hooks.js';

/**
 * Notes `client-connect` and `client-disconnect` lines that have no effect. An admin who adds the lines of subflowd below their
 * own otherwise does not notice that their script no longer decides.
 */
export async function checkRepeatedHooks({ name, pids }: ServerStatus): Promise<Check[]> {
  const checks: Check[] = [];
  for (const pid of pids) {
    const options = await readHookOptions(pid);
    if (options === undefined) continue;
    for (const each of repeatedHooksOf(options.file)) {
      const remedy =
        'keep one line, with both: the script client-connect-chained runs another one first, see docs/existing-setups.md; ' +
        'then restart OpenVPN';
      checks.push(note(`server ${name}`, repeatedHookText(each), remedy));
    }
  }
  return checks;
}

function repeatedHooksOf(file: string) {
  return repeatedHooks(readConfigLines(file, dirname(file), readText));
}

function readText(file: string): string | undefined {
  try {
    return readRegularFileSync(file, MAX_CONFIG_BYTES).toString('latin1');
  } catch {
    return undefined;
  }
}
