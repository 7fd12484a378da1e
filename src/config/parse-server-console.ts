import { posix } from 'node:path';
import type { ServerConfig, ServerConsoleConfig } from './config.js';
import { entryOf, type ConfigParser, type NamedSection, type SectionValues } from './config-parser.js';
import { sectionTitle } from './lines.js';
import { isLoopback, type ManagementAddress } from './management.js';
import { readSocketPath } from './absolute-path.js';
import { ValueError } from './value-error.js';

/** Keys that have no effect without `management`. */
const CONSOLE_KEYS = ['console', 'console-listen', 'console-auth', 'console-password-file', 'console-hangup'];

/**
 * Parses the console of an `[openvpn NAME]` section; undefined if it has no console, or no valid socket.
 * @param directory the directory of `[console] socket`. The console's socket is there too, unless the section names
 * another.
 */
export function parseServerConsole(
  parser: ConfigParser,
  { section, name }: NamedSection,
  values: SectionValues<'openvpn'>,
  directory: string,
): ServerConsoleConfig | undefined {
  const { 'console-listen': listen, 'console-auth': auth, 'console-password-file': passwordFile } = values;
  if (!values.management) {
    for (const key of CONSOLE_KEYS.filter((key) => entryOf(section, key))) {
      parser.addKeyProblem(section, key, 'there is nothing to share without management; set management');
    }
    return undefined;
  }
  if (passwordFile !== undefined && !listen && !auth) {
    const message = 'it is only for TCP; set console-listen, or remove this line';
    parser.addKeyProblem(section, 'console-password-file', message);
  }
  for (const [key, address] of [
    ['console-listen', listen],
    ['console-auth', auth],
  ] as const) {
    if (!address || 'socket' in address || isLoopback(address.host) || passwordFile !== undefined) continue;
    const message = `${address.host} can be reached from other hosts; set console-password-file`;
    parser.addKeyProblem(section, key, message);
  }
  let socket = values.console;
  try {
    socket ??= readSocketPath(posix.join(directory, `${name}.sock`));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    parser.addProblem(section, `${error.message}: set console`);
    return undefined;
  }
  return {
    socket,
    ...(listen && { listen }),
    ...(auth && { auth }),
    ...(passwordFile !== undefined && { passwordFile }),
    ...(values['console-hangup'] === 'yes' && { hangsUp: true }),
  };
}

/** Reports consoles that have the same socket or TCP address. @param own `[console] socket`, which subflowd itself uses. */
export function checkConsoleAddresses(
  parser: ConfigParser,
  own: string,
  servers: readonly ServerConfig[],
): void {
  const sectionAt = new Map([[own, '[console]']]);
  const byName = new Map(servers.map((server) => [server.name, server]));
  // false: sections with the same name have been reported already
  for (const { section, name } of parser.sectionsOf('openvpn', false)) {
    const serverConsole = byName.get(name)?.console;
    if (!serverConsole) continue;
    const { socket, listen, auth } = serverConsole;
    const others = [listen, auth].flatMap((address) => (address ? [addressText(address)] : []));
    for (const address of [socket, ...others]) {
      const other = sectionAt.get(address);
      if (other !== undefined) {
        const message = `its console is at ${address}, and so is that of ${other}; set another address in one of them`;
        parser.addProblem(section, message);
      }
      sectionAt.set(address, sectionTitle(section));
    }
  }
}

function addressText(address: ManagementAddress): string {
  return 'socket' in address ? address.socket : `${address.host} ${address.port}`;
}
