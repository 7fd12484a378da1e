import { posix } from 'node:path';
import ipaddr from 'ipaddr.js';
import { lastOf, linesOf } from '../openvpn/config-file.js';
import { WITHOUT_OFFLOAD, withoutHooksNote } from './decide-tcp.js';
import type { HostFacts, ServerFacts } from './facts.js';
import { decideHooks } from './hook-lines.js';
import {
  credentialDropIn,
  credentialFile,
  managementOf,
  managementSocket,
  managementText,
} from './management.js';
import { noParts, type Parts } from './parts.js';
import { portOf, tunnelNetworks } from './protocols.js';
import { nextFreeNetwork, prefixLength } from './subnets.js';
import { ownFiles, tcpInstanceConfig } from './tcp-instance.js';
import { startUnderMptcpize } from './unit-drop-in.js';

/** What other servers have taken already. */
export interface Taken {
  readonly ports: Set<number>;
  readonly networks: string[];
}

/** The largest port. */
const MAX_PORT = 65_535;

/** Decides about a UDP server: it stays as it is, and gets an instance over TCP beside it. */
export function decideUdp(server: ServerFacts, facts: HostFacts, taken: Taken): Parts {
  const { name, config, lines, unit } = server;
  const obstacle = (what: string, remedy: string): Parts => ({ ...noParts(), obstacles: [{ what, remedy }] });
  const byHand = `set up the server over TCP by hand, with the lines of openvpn-conf/server.conf, then: subflowd setup`;
  if (unit === undefined)
    return obstacle(`server ${name} runs without a systemd unit, so setup cannot start another`, byHand);
  const before = tunnelNetworks(lines, prefixLength);
  if (before.ipv4 === undefined)
    return obstacle(
      `${config} has no line "server NETWORK NETMASK", so setup cannot choose another network`,
      byHand,
    );
  const ipv4 = nextFreeNetwork(before.ipv4, taken.networks);
  const ipv6 = before.ipv6 === undefined ? undefined : nextFreeNetwork(before.ipv6, taken.networks);
  if (ipv4 === undefined || (before.ipv6 !== undefined && ipv6 === undefined))
    return obstacle(
      `setup finds no free network beside ${ipv4 === undefined ? before.ipv4 : before.ipv6}`,
      byHand,
    );
  taken.networks.push(ipv4, ...(ipv6 === undefined ? [] : [ipv6]));
  const port = freePort(portOf(lines), taken.ports);
  const instance = { name: `${name}-tcp`, unit: unit.replace(/@.*/, `@${name}-tcp`) };
  const socket = managementSocket(instance.name);
  const management = managementOf(server);
  const passwordFile = management?.passwordFile === 'stdin' ? undefined : management?.passwordFile;
  const hooks = decideHooks(lines, facts.hooks);
  const path = posix.join(posix.dirname(config), `${instance.name}.conf`);
  const [address, netmask] = withNetmask(ipv4);
  const entries: [string, string][] = [['management', socket]];
  if (passwordFile !== undefined) entries.push(['password-file', credentialFile(instance.name)]);
  const isAuth = lastOf(lines, 'management-client-auth') !== undefined;
  let console: string | undefined;
  if (management?.port !== undefined) {
    console = `127.0.0.1 ${freePort(management.port + 1, taken.ports)}`;
    entries.push([isAuth ? 'console-auth' : 'console-listen', console]);
    if (passwordFile !== undefined) entries.push(['console-password-file', credentialFile(instance.name)]);
  } else if (isAuth) {
    console = `/run/subflowd/${instance.name}-auth.sock`;
    entries.push(['console-auth', console]);
  }
  return {
    ...noParts(),
    files: [
      {
        path,
        text: tcpInstanceConfig(config, lines, {
          port,
          ipv4: { address, netmask },
          ...(ipv6 !== undefined && { ipv6 }),
          management: managementText(socket, passwordFile),
          hooks: hooks.chained,
          added: [...hooks.added, ...(lastOf(lines, 'disable-dco') === undefined ? WITHOUT_OFFLOAD : [])],
        }),
        mode: 0o600,
        why:
          `server ${name} serves UDP, and MPTCP is TCP. So ${instance.name} serves the same clients over TCP, at port ${port}, ` +
          `with addresses of ${ipv4}${ipv6 === undefined ? '' : ` and ${ipv6}`}`,
        basis: { path: config, text: lines.map((line) => `${line.text}\n`).join('') },
        cost: `one more OpenVPN process; server ${name} stays as it is, and its clients stay connected`,
        unit: instance.unit,
      },
      ...startUnderMptcpize({ ...server, unit: instance.unit }, facts),
      ...(passwordFile === undefined ? [] : [credentialDropIn(instance.name, passwordFile)]),
    ],
    newUnits: [{ unit: instance.unit, isEnabled: server.isEnabled, ownFiles: ownFiles(server) }],
    sections: [{ name: instance.name, entries }],
    steeredUnit: instance.unit,
    notes: [
      ...(hooks.without === undefined ? [] : [withoutHooksNote(instance.name, hooks.without)]),
      ...instanceNotes(server, before.ipv4, ipv4),
    ],
    nextSteps: [
      ...firewallSteps(server, facts, { port, before: before.ipv4, network: ipv4 }),
      ...(console === undefined ? [] : [consoleStep(instance.name, console, isAuth)]),
      `at a client: a line "remote THIS-HOST ${port} tcp" before its present remote; it goes on using UDP where TCP fails`,
    ],
  };
}

function consoleStep(name: string, console: string, isAuth: boolean): string {
  return isAuth
    ? `the program that decides about clients must run once more, for ${name}, with the management address ${console}; until then ${name} lets nobody in`
    : `a monitor of ${name} finds it at ${console}; the one of the UDP server stays as it is`;
}

/** What is the same in both servers and may need the admin. */
function instanceNotes(
  { name, lines, staticClients }: ServerFacts,
  before: string,
  network: string,
): string[] {
  const notes: string[] = [];
  if (staticClients.length > 0) {
    notes.push(
      `${staticClients.slice(0, 5).join(', ')}: these clients have fixed addresses of ${before} (ifconfig-push), which ` +
        `${name}-tcp cannot serve. They stay on UDP until they have one of ${network}`,
    );
  }
  for (const line of lines) {
    const [option = '', ...values] = line.words ?? [];
    if (option === 'server' || option === 'config') continue;
    const named = values.join(' ').match(/\d+\.\d+\.\d+\.\d+/g) ?? [];
    if (named.some((address) => isIn(address, before)))
      notes.push(
        `${line.file}:${line.line}: ${option} names an address of ${before}, and ${name}-tcp has the same line; check that it fits ${network}`,
      );
  }
  if (linesOf(lines, 'route').length > 0)
    notes.push(
      `the networks behind clients (route, iroute) stay with ${name}: over TCP they need a server of their own`,
    );
  return notes;
}

function isIn(address: string, network: string): boolean {
  return (
    ipaddr.IPv4.isValidFourPartDecimal(address) &&
    ipaddr.IPv4.parse(address).match(ipaddr.IPv4.parseCIDR(network))
  );
}

/** The rules that name what the TCP instance has otherwise. setup does not change the firewall. */
function firewallSteps(
  { lines }: ServerFacts,
  { firewall }: HostFacts,
  { port, before, network }: { readonly port: number; readonly before: string; readonly network: string },
): string[] {
  const udpPort = portOf(lines);
  const steps: string[] = [];
  const forPort = firewall.filter((rule) => new RegExp(`\\budp\\b.*\\b${udpPort}\\b`).test(rule));
  for (const rule of forPort) steps.push(`firewall: beside "${rule}", allow TCP port ${port}`);
  for (const rule of firewall.filter((each) => each.includes(before)))
    steps.push(`firewall: beside "${rule}", add the same for ${network}`);
  const device = lastOf(lines, 'dev')?.words?.[1] ?? '';
  if (/\d$/.test(device)) {
    for (const rule of firewall.filter((each) => new RegExp(`\\b${device}\\b`).test(each)))
      steps.push(`firewall: "${rule}" is for ${device}; the TCP instance has a device of its own (tun+)`);
  }
  return steps;
}

function freePort(first: number, taken: Set<number>): number {
  let port = first;
  while (taken.has(port) && port < MAX_PORT) port += 1;
  taken.add(port);
  return port;
}

function withNetmask(network: string): [address: string, netmask: string] {
  const [address, length] = ipaddr.IPv4.parseCIDR(network);
  return [address.toString(), ipaddr.IPv4.subnetMaskFromPrefixLength(length).toString()];
}
