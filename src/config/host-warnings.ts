import { existsSync } from 'node:fs';
import { groupNumber } from '../util/groups.js';
import type { Config } from './config.js';
import type { ConfigWarning } from './warnings.js';

/** Finds what a config without a mistake names and what this host does not have. It looks, and opens nothing. */
export function hostWarnings({ servers, console }: Config): ConfigWarning[] {
  const warnings: ConfigWarning[] = [];
  const { group } = console;
  if (group !== undefined && groupNumber(group) === undefined) {
    const message = `there is no group ${group} on this host; make it (groupadd --system ${group}), or name another`;
    warnings.push({ section: '[console]', key: 'group', message });
  }
  for (const { name, passwordFile, console: shared } of servers) {
    const files = [
      ['password-file', passwordFile],
      ['console-password-file', shared?.passwordFile],
    ] as const;
    for (const [key, file] of files) {
      if (file === undefined || existsSync(file)) continue;
      const message = `${file} does not exist, or you may not look there; its first line is the password`;
      warnings.push({ section: `[openvpn ${name}]`, key, message });
    }
  }
  return warnings;
}
