import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { lastOf, readConfigLines, type ConfigLine } from '../openvpn/config-file.js';
import { probeProcess } from '../openvpn/records/process.js';
import { readRegularFileSync } from '../util/regular-file.js';
import { clientAddresses } from './client-addresses.js';
import type { ServerFacts } from './facts.js';
import { findManagementClients } from './find-management-clients.js';
import { managementOf } from './management.js';
import type { RunProgram } from './run-program.js';

/** The largest config or status file that is read, bytes. A config can contain keys and certificates. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** The most files of a client-config-dir that are read. */
const MAX_CLIENT_FILES = 10_000;

/** Where Debian's units look for configs. */
const DIRECTORIES = [
  { directory: '/etc/openvpn/server', unit: 'openvpn-server@' },
  { directory: '/etc/openvpn', unit: 'openvpn@' },
] as const;

/** A running OpenVPN. */
interface OpenvpnProcess {
  readonly pid: number;
  readonly config: string;
  readonly directory: string;
  readonly status?: string;
}

/** The text of a file, each character one byte; undefined if it is not there or cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readRegularFileSync(path, MAX_FILE_BYTES).toString('latin1');
  } catch {
    return undefined;
  }
}

/** Finds the OpenVPN servers of this host: configs of Debian's units, and processes that run without a unit. */
export async function findServers(run: RunProgram): Promise<ServerFacts[]> {
  const processes = findProcesses();
  const servers: ServerFacts[] = [];
  const names = new Set<string>();
  for (const { directory, unit: prefix } of DIRECTORIES) {
    for (const file of configsIn(directory)) {
      const instance = file.slice(0, -'.conf'.length);
      const config = join(directory, file);
      const process = processes.find((each) => each.config === config);
      const unit = `${prefix}${instance}`;
      const isActive = (await run('systemctl', ['is-active', unit])).status === 0;
      const isEnabled = (await run('systemctl', ['is-enabled', unit])).status === 0;
      // a process that systemd does not know cannot be restarted by it
      const isByHand = process !== undefined && !isActive;
      const command = isByHand ? undefined : commandIn((await run('systemctl', ['cat', unit])).output);
      const name = names.has(instance) ? `${instance}-old` : instance;
      names.add(name);
      servers.push({
        ...(await describe({ name, config, directory }, process, run)),
        ...(!isByHand && { unit }),
        ...(command !== undefined && { command }),
        isActive: isActive || process !== undefined,
        isEnabled,
      });
    }
  }
  const known = new Set(servers.map(({ config }) => config));
  for (const process of processes.filter(({ config }) => !known.has(config))) {
    const name = posix.basename(process.config).replace(/\.conf$/, '');
    const server = { name, config: process.config, directory: process.directory };
    servers.push({ ...(await describe(server, process, run)), isActive: true, isEnabled: false });
  }
  return servers;
}

async function describe(
  server: Pick<ServerFacts, 'name' | 'config' | 'directory'>,
  process: OpenvpnProcess | undefined,
  run: RunProgram,
): Promise<Omit<ServerFacts, 'unit' | 'command' | 'isActive' | 'isEnabled'>> {
  const { config, directory } = server;
  const lines = readConfigLines(config, directory, readText);
  const status = process?.status ?? lastOf(lines, 'status')?.words?.[1];
  const management = managementOf({ lines, directory });
  return {
    ...server,
    lines,
    managementClients:
      management === undefined || process === undefined
        ? []
        : await findManagementClients(management.address, run),
    clientAddresses:
      status === undefined || process === undefined
        ? []
        : clientAddresses(readText(resolve(directory, status)) ?? ''),
    staticClients: findStaticClients(lines, directory),
  };
}

function configsIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.conf'))
      .sort();
  } catch {
    return [];
  }
}

function findProcesses(): OpenvpnProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (probeProcess(Number(name)).is !== 'openvpn') return [];
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        const after = (option: string) => words[words.indexOf(option) + 1 || words.length];
        const given = after('--config') ?? (words[1]?.startsWith('-') === false ? words[1] : undefined);
        if (given === undefined) return [];
        const directory = after('--cd') ?? readlinkSync(`/proc/${name}/cwd`);
        const status = after('--status');
        const config = resolve(directory, given);
        return [{ pid: Number(name), config, directory, ...(status !== undefined && { status }) }];
      } catch {
        return []; // it has ended
      }
    });
}

/** The last command in the output of `systemctl cat`: a drop-in replaces that of the unit. */
export function commandIn(units: string): string | undefined {
  const commands = units
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => /^ExecStart=[-@:+!]*(.+)$/.exec(line.trim())?.[1] ?? []);
  return commands.at(-1);
}

function findStaticClients(lines: readonly ConfigLine[], directory: string): string[] {
  const option = lastOf(lines, 'client-config-dir')?.words?.[1];
  if (option === undefined) return [];
  const clients = resolve(directory, option);
  try {
    return readdirSync(clients)
      .slice(0, MAX_CLIENT_FILES)
      .map((name) => join(clients, name))
      .filter((file) => /^\s*ifconfig-push\b/m.test(readText(file) ?? ''));
  } catch {
    return [];
  }
}
