import ipaddr from 'ipaddr.js';
import { readLines } from '../config/lines.js';
import { lastOf, repeatedHooks, repeatedHookText } from '../openvpn/config-file.js';
import { decideTcp } from './decide-tcp.js';
import { decideUdp } from './decide-udp.js';
import type { Decision, HostFacts, Obstacle, ServerFacts, SetupOptions, WantedFile } from './facts.js';
import { addConsoleGroup, addSections, newIni, setDryRun, type ServerSection } from './ini-text.js';
import { SETUP_FILES } from './installed-files.js';
import { managementObstacle, managementOf } from './management.js';
import { noParts, type Parts } from './parts.js';
import { isServerConfig, portOf, protocolsOf, tunnelNetworks } from './protocols.js';
import { prefixLength } from './subnets.js';
import { helperDropIn } from './unit-drop-in.js';

/** Users for whom subflowd-tmpfiles.conf makes a directory. */
const USERS_WITH_DIRECTORY = ['root', 'nobody'];
/** The most networks of present clients that a new subflowd.ini shows. */
const MAX_NETWORKS = 8;

/** What ends the first day. */
const STEER_STEP =
  'for now subflowd sets nothing; subflowd status shows what it would set; to let it set: subflowd setup --steer';

/** Decides what to change on a host. Pure: the same facts give the same decision. */
export function decide(facts: HostFacts, options: SetupOptions): Decision {
  const servers = facts.servers.filter(({ lines }) => isServerConfig(lines));
  const chosen = servers.filter(({ name }) => options.server === undefined || name === options.server);
  const obstacles = hostObstacles(facts, servers, options);
  const inIni = managedAddresses(facts.ini ?? '');
  const managed = new Set(inIni.filter((address) => address !== undefined));
  const taken = {
    ports: new Set([
      ...facts.tcpPorts,
      ...servers.filter(({ lines }) => protocolsOf(lines).tcp).map(({ lines }) => portOf(lines)),
    ]),
    networks: [
      ...facts.networks,
      ...servers.flatMap(({ lines }) => Object.values(tunnelNetworks(lines, prefixLength))),
    ].filter((network) => network !== undefined),
  };
  const parts =
    obstacles.length > 0
      ? []
      : chosen.map((server): Parts => {
          const { tcp } = protocolsOf(server.lines);
          const obstacle = tcp ? managementObstacle(server) : undefined;
          if (obstacle) return { ...noParts(), obstacles: [obstacle] };
          if (tcp) return decideTcp(server, facts, managed);
          const hasInstance = servers.some(({ name }) => name === `${server.name}-tcp`);
          return hasInstance ? noParts() : decideUdp(server, facts, taken);
        });
  const consoleUsers = [...new Set(parts.flatMap((part) => part.consoleUsers))];
  const files = parts.flatMap((part) => part.files);
  const isUsed = parts.some(({ sections }) => sections.length > 0) || facts.ini !== undefined;
  return {
    files: [
      ...(isUsed ? hostFiles(facts, chosen) : []),
      ...iniFile(
        facts,
        parts.flatMap(({ sections }) => sections),
        chosen,
        consoleUsers.length > 0,
        options,
      ),
      ...helperFile(servers, inIni, parts),
      ...files,
    ],
    sysctl: isUsed ? sysctlValues(facts) : [],
    newUnits: parts.flatMap((part) => part.newUnits),
    consoleUsers,
    obstacles: [...obstacles, ...parts.flatMap((part) => part.obstacles)],
    warnings: chosen.flatMap(({ lines }) => repeatedHooks(lines).map(repeatedHookText)),
    notes: parts.flatMap((part) => part.notes),
    nextSteps: [
      ...parts.flatMap((part) => part.nextSteps),
      ...(options.dryRun === 'observe' ? [STEER_STEP] : []),
    ],
  };
}

function hostObstacles(
  { mptcp, isAlwaysMptcp, hasMptcpize }: HostFacts,
  servers: readonly ServerFacts[],
  { server }: SetupOptions,
): Obstacle[] {
  const found: Obstacle[] = [];
  if (servers.length === 0)
    found.push({
      what: 'no config of an OpenVPN server was found in /etc/openvpn/server and /etc/openvpn',
      remedy: 'set up OpenVPN first, then: subflowd setup',
    });
  else if (server !== undefined && servers.every(({ name }) => name !== server))
    found.push({
      what: `there is no server ${server}`,
      remedy: `name one of these: ${servers.map(({ name }) => name).join(', ')}`,
    });
  if (!isAlwaysMptcp && Object.keys(mptcp).length === 0)
    found.push({
      what: 'this kernel has no MPTCP',
      remedy: 'boot a kernel with CONFIG_MPTCP=y (Debian has it)',
    });
  if (!isAlwaysMptcp && !hasMptcpize)
    found.push({
      what: 'the program mptcpize, which makes the TCP of OpenVPN MPTCP, is missing',
      remedy: 'apt-get install mptcpize, then: subflowd setup',
    });
  return found;
}

/**
 * Lets the helper touch only the servers of subflowd.ini. Where the ini has a server whose unit is not known, it may touch all
 * OpenVPN servers of this host.
 */
function helperFile(
  servers: readonly ServerFacts[],
  inIni: readonly (string | undefined)[],
  parts: readonly Parts[],
): WantedFile[] {
  const known = servers.filter((server) => inIni.includes(managementOf(server)?.address ?? ''));
  const units = [...known.map(({ unit }) => unit), ...parts.map(({ steeredUnit }) => steeredUnit)];
  const named = new Set(units.filter((unit) => unit !== undefined));
  const areAllKnown = known.length === inIni.length && known.every(({ unit }) => unit !== undefined);
  return areAllKnown && named.size > 0 ? [helperDropIn([...named])] : [];
}

/** The management addresses of the servers in an ini. A server can have none. */
function managedAddresses(ini: string): (string | undefined)[] {
  return readLines(ini)
    .sections.filter(({ kind }) => kind === 'openvpn')
    .map(({ entries }) => entries.find(({ key }) => key === 'management')?.value.replace(/\s+unix$/, ''));
}

function iniFile(
  { ini, daemon }: HostFacts,
  sections: readonly ServerSection[],
  servers: readonly ServerFacts[],
  needsGroup: boolean,
  { dryRun }: SetupOptions,
): WantedFile[] {
  if (ini === undefined && sections.length === 0) return [];
  let text = ini === undefined ? newIni(sections, networksOf(servers)) : addSections(ini, sections);
  if (needsGroup) text = addConsoleGroup(text);
  if (dryRun !== undefined) text = setDryRun(text, dryRun === 'observe');
  const why =
    sections.length === 0
      ? `subflowd ${dryRun === 'observe' ? 'only observes, and logs what it would set' : 'sets what its rules ask for'}`
      : `subflowd serves ${sections.map(({ name }) => name).join(', ')}${dryRun === 'observe' ? ', and only observes' : ''}`;
  return [
    {
      path: SETUP_FILES.ini,
      text,
      mode: 0o644,
      why,
      ...(!daemon.isActive && { cost: 'one more service, subflowd, which needs about 60 MiB of memory' }),
    },
  ];
}

/** The networks of the present clients, the most used first. */
function networksOf(servers: readonly ServerFacts[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const address of servers.flatMap(({ clientAddresses }) => clientAddresses)) {
    if (!ipaddr.isValid(address)) continue;
    const parsed = ipaddr.process(address);
    const network =
      parsed.kind() === 'ipv4'
        ? `${ipaddr.IPv4.networkAddressFromCIDR(`${parsed.toString()}/24`).toString()}/24`
        : `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/48`).toString()}/48`;
    counts.set(network, (counts.get(network) ?? 0) + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one).slice(0, MAX_NETWORKS);
}

function hostFiles(
  { copies, sysctlText, mptcp, ini }: HostFacts,
  servers: readonly ServerFacts[],
): WantedFile[] {
  const users = servers.map(({ lines }) => lastOf(lines, 'user')?.words?.[1] ?? 'root');
  const others = [...new Set(users)].filter((user) => !USERS_WITH_DIRECTORY.includes(user));
  return [
    ...copies.map((copy) => ({ ...copy, why: 'a file of subflowd', isOnlyNew: true as const })),
    ...(mptcp.pm_type === undefined || usesMemory(ini)
      ? []
      : [
          {
            path: SETUP_FILES.sysctl,
            text: sysctlText,
            mode: 0o644,
            why: 'subflowd may ask the kernel to change priorities (net.mptcp.pm_type = 1)',
            cost: 'while subflowd does not run, a client that connects has one path only until it reconnects',
            isOnlyNew: true as const,
          },
        ]),
    ...(others.length === 0
      ? []
      : [
          {
            path: SETUP_FILES.tmpfiles,
            text: [
              '# made by subflowd setup: where the hooks of OpenVPN write their records',
              ...others.map((user) => `d /run/subflowd/events/${user} 2770 ${user} subflowd-hooks -`),
              '',
            ].join('\n'),
            mode: 0o644,
            why: `the hooks run as ${others.join(', ')}, and write their records there`,
          },
        ]),
  ];
}

/** The values of the sysctl file that differ now. `-` before a name: the kernel may not have it. */
function sysctlValues({ sysctlText, mptcp, ini }: HostFacts): [string, string][] {
  if (usesMemory(ini)) return [];
  return [...sysctlText.matchAll(/^-?net\.mptcp\.(\S+) = (\S+)$/gm)]
    .map(([, name = '', value = '']): [string, string] => [name, value])
    .filter(([name, value]) => mptcp[name] !== undefined && mptcp[name] !== value);
}

/** Whether an admin has chosen /dev/mem, for which the path manager of the kernel stays. */
function usesMemory(ini: string | undefined): boolean {
  return /^[ \t]*backend[ \t]*=[ \t]*devmem\b/m.test(ini ?? '');
}
