import type { ServerConfig } from './config.js';
import { entryOf, type ConfigParser, type NamedSection, type SectionValues } from './config-parser.js';
import { sectionTitle, type IniSection } from './lines.js';
import { isLoopback } from './management.js';
import { parseServerConsole } from './parse-server-console.js';
import { readName } from './names.js';

/** Parses all `[openvpn NAME]` sections. @param directory the directory of `[console] socket`. */
export function parseServers(parser: ConfigParser, directory: string): ServerConfig[] {
  const servers: ServerConfig[] = [];
  const withoutManagement = new Map<string, IniSection>();
  const managed = new Map<string, IniSection>();
  let hasSection = false;
  for (const named of parser.sectionsOf('openvpn')) {
    const { section, name } = named;
    hasSection = true;
    parser.checkName(named, readName);
    const values = parser.valuesOf('openvpn', section);
    if (!values) continue;
    const console = parseServerConsole(parser, named, values, directory);
    checkManagement(parser, named, values);
    const {
      management,
      'password-file': passwordFile,
      'management-user': managementUser,
      events,
      announce,
    } = values;
    if (management) {
      const address = 'socket' in management ? management.socket : `${management.host} ${management.port}`;
      const other = managed.get(address);
      if (other) {
        const message = `${address} is the management interface of ${sectionTitle(other)} (line ${other.line}); each OpenVPN has its own`;
        parser.addKeyProblem(section, 'management', message);
      } else managed.set(address, section);
    } else {
      const other = withoutManagement.get(events);
      if (other) addSharedEvents(parser, section, events, other);
      else withoutManagement.set(events, section);
    }
    servers.push({
      name,
      events,
      ...(management && { management }),
      ...(passwordFile !== undefined && { passwordFile }),
      ...(managementUser !== undefined && { managementUser }),
      ...(console && { console }),
      ...(announce && { announce }),
    });
  }
  // a section with a wrong kind or name, such as [openvpn2], has its own problem
  const hasProblem = parser.problems.some(({ section }) => section?.startsWith('[openvpn'));
  if (!hasSection && !hasProblem) {
    parser.problems.push({ message: 'no [openvpn NAME] section; name at least one OpenVPN server' });
  }
  return servers;
}

function checkManagement(
  parser: ConfigParser,
  { section }: NamedSection,
  values: SectionValues<'openvpn'>,
): void {
  const { management, 'password-file': passwordFile } = values;
  for (const key of ['password-file', 'management-user'] as const) {
    if (values[key] === undefined || management) continue;
    const message = `${key} has no effect without management; set management, or remove this line`;
    parser.addProblem(section, message, entryOf(section, key));
  }
  if (management && 'host' in management && !isLoopback(management.host) && passwordFile === undefined) {
    const message =
      `${management.host} can be reached from other hosts; ` +
      'set password-file here and in OpenVPN, or use a unix socket';
    parser.addKeyProblem(section, 'management', message);
  }
}

/** Two servers without management cannot record into one directory: the records do not name the server. */
function addSharedEvents(parser: ConfigParser, section: IniSection, events: string, other: IniSection): void {
  const message =
    `shares the events directory ${events} with ${sectionTitle(other)} (line ${other.line}), and neither has ` +
    'management. So subflowd cannot know which of the two a client is connected to; set management or another events ' +
    'directory in one of them';
  parser.addProblem(section, message, entryOf(section, 'events'));
}
