import type { Config } from './config.js';
import { isLoopback } from './management.js';

/** Something in a config that is not a mistake, but gives access to more people than its writer may expect, or has no effect. */
export interface ConfigWarning {
  /** The section, e.g. `[openvpn office]`. */
  readonly section: string;
  readonly key: string;
  /** What its writer may not expect, and how to change it. */
  readonly message: string;
}

/** `FILE: [SECTION]: warning: KEY: MESSAGE`. */
export function formatWarning(file: string, { section, key, message }: ConfigWarning): string {
  return `${file}: ${section}: warning: ${key}: ${message}`;
}

/** Finds the warnings for a config that has no mistake. */
export function configWarnings({ servers, console, clients }: Config): ConfigWarning[] {
  const warnings: ConfigWarning[] = [];
  if ((console.mode & 0o002) !== 0) {
    const message =
      `with mode 0${console.mode.toString(8)} every user of this host can use the consoles, and stop OpenVPN from there; ` +
      'set mode = 0660 and group';
    warnings.push({ section: '[console]', key: 'mode', message });
  }
  for (const { glob } of clients) {
    const words = glob.split(/,\s*/);
    if (words.length < 2 && !/^(["']).*\1$/.test(glob)) continue;
    const message =
      'it matches one common name with exactly these characters; write a section for each client, without quotes, or a ' +
      'pattern with * and ?';
    warnings.push({ section: `[client ${glob}]`, key: 'name', message });
  }
  for (const { name, management, passwordFile, console: shared } of servers) {
    const section = `[openvpn ${name}]`;
    if (management && 'host' in management) {
      const { host } = management;
      if (!isLoopback(host)) {
        const message =
          `unless ${host} is this host, subflowd cannot check who listens there and receives the password, and nothing is ` +
          'encrypted; use a unix socket';
        warnings.push({ section, key: 'management', message });
      } else if (passwordFile === undefined) {
        const message =
          'every user of this host can connect while subflowd does not, and then stop OpenVPN or occupy its only connection; ' +
          'use a unix socket, or set password-file here and in OpenVPN';
        warnings.push({ section, key: 'management', message });
      }
    }
    if (shared?.auth && 'host' in shared.auth && shared.passwordFile === undefined) {
      const message =
        'without a password, the first program of a user who may write to the socket of the console decides which clients ' +
        'are let in; set console-password-file, or use a unix socket';
      warnings.push({ section, key: 'console-auth', message });
    }
    if (shared?.listen && shared.passwordFile === undefined) {
      const message =
        'without a password it accepts every user who may write to the socket of the console, and everybody for whom ' +
        'a program of such a user connects (ssh -L, a proxy); set console-password-file';
      warnings.push({ section, key: 'console-listen', message });
    }
  }
  return warnings;
}
