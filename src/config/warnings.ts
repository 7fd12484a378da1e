import type { Config } from './config.js';
import { isLoopback } from './management.js';

/** Something in a config that is no mistake, and lets in more people than its writer may think. */
export interface ConfigWarning {
  /** The section, e.g. `[openvpn office]`. */
  readonly section: string;
  readonly key: string;
  /** Who is let in, and how to keep them out. */
  readonly message: string;
}

/** `FILE: [SECTION]: warning: KEY: MESSAGE`. */
export function formatWarning(file: string, { section, key, message }: ConfigWarning): string {
  return `${file}: ${section}: warning: ${key}: ${message}`;
}

/** Who can reach what, by a config that has no mistake. */
export function configWarnings({ servers, console }: Config): ConfigWarning[] {
  const warnings: ConfigWarning[] = [];
  if ((console.mode & 0o002) !== 0) {
    const message =
      `with mode 0${console.mode.toString(8)} every user of this host can use the consoles, and stop OpenVPN there; ` +
      'set mode = 0660 and group';
    warnings.push({ section: '[console]', key: 'mode', message });
  }
  for (const { name, management, passwordFile, console: shared } of servers) {
    const section = `[openvpn ${name}]`;
    if (management && 'host' in management) {
      const { host } = management;
      if (!isLoopback(host)) {
        const message =
          `unless ${host} is this host, it cannot be checked who listens there and is sent the password, and nothing is ` +
          'encrypted; use a unix socket';
        warnings.push({ section, key: 'management', message });
      } else if (passwordFile === undefined) {
        const message =
          'every user of this host can connect to it whenever subflowd is not, and stop OpenVPN or keep its only place; ' +
          'use a unix socket, or set password-file here and in OpenVPN';
        warnings.push({ section, key: 'management', message });
      }
    }
    if (shared?.listen && shared.passwordFile === undefined) {
      const message =
        'without a password it takes those who may write to the socket of the console, and with them everybody for whom ' +
        'a program of theirs connects (ssh -L, a proxy); set console-password-file';
      warnings.push({ section, key: 'console-listen', message });
    }
  }
  return warnings;
}
