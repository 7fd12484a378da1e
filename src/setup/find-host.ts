import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../util/package-root.js';
import type { HostFacts } from './facts.js';
import { findServers, readText } from './find-servers.js';
import { installationAt, SETUP_FILES, SETUP_UNITS } from './installed-files.js';
import type { RunProgram } from './run-program.js';

/** The most rules of a firewall that are read. */
const MAX_RULES = 5_000;

/** Finds everything on this host that setup must know. It changes nothing. */
export async function findHost(run: RunProgram): Promise<HostFacts> {
  const { hooks, examples, copies } = installationAt(packageRoot());
  const ini = readText(SETUP_FILES.ini);
  const mptcp = readMptcp();
  return {
    servers: await findServers(run),
    daemon: {
      isActive: (await run('systemctl', ['is-active', SETUP_UNITS[0]])).status === 0,
      isEnabled: (await run('systemctl', ['is-enabled', SETUP_UNITS[0]])).status === 0,
    },
    hooks,
    ...(ini !== undefined && { ini }),
    sysctlText: readText(SETUP_FILES.sysctl) ?? readText(join(examples, 'subflowd-sysctl.conf')) ?? '',
    copies: copies.flatMap(({ from, to, mode }) => {
      const text = readText(from);
      if (text === undefined) throw new Error(`${from} is missing: install subflowd again`);
      return [{ path: to, text, mode }];
    }),
    tcpPorts: await findTcpPorts(run),
    networks: await findNetworks(run),
    firewall: await findFirewall(run),
    mptcp,
    isAlwaysMptcp: existsSync('/proc/sys/net/mptcp/mptcp_enabled'),
    hasMptcpize: existsSync('/usr/bin/mptcpize'),
  };
}

function readMptcp(): Record<string, string> {
  const directory = '/proc/sys/net/mptcp';
  try {
    return Object.fromEntries(
      readdirSync(directory).map((name) => [name, readText(join(directory, name))?.trim() ?? '']),
    );
  } catch {
    return {}; // a kernel without MPTCP
  }
}

async function findTcpPorts(run: RunProgram): Promise<Set<number>> {
  const { output } = await run('ss', ['-Htln']);
  return new Set(output.split('\n').flatMap((line) => /:(\d+)\s/.exec(line)?.slice(1).map(Number) ?? []));
}

async function findNetworks(run: RunProgram): Promise<string[]> {
  const outputs = [await run('ip', ['-4', 'route', 'show']), await run('ip', ['-6', 'route', 'show'])];
  return outputs
    .flatMap(({ output }) => output.split('\n'))
    .map((line) => line.split(' ', 1)[0] ?? '')
    .filter((network) => /^[\da-f.:]+(?:\/\d+)?$/.test(network))
    .map((network) => (network.includes('/') ? network : `${network}/${network.includes(':') ? 128 : 32}`));
}

/** The rules of nftables, and those of iptables where nftables does not show them. */
async function findFirewall(run: RunProgram): Promise<string[]> {
  const nft = await run('nft', ['list', 'ruleset']);
  const { status, output } = nft.status === 0 && nft.output !== '' ? nft : await run('iptables-save', []);
  if (status !== 0) return [];
  return output
    .split('\n')
    .slice(0, MAX_RULES)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#*:}]|\{$/.test(line));
}
