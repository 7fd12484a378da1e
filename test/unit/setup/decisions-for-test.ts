import { decide } from '../../../src/setup/decide.js';
import type { Decision, HostFacts, SetupOptions } from '../../../src/setup/facts.js';
import { serverFacts } from './facts-for-test.js';

/** Paths of what setup writes. */
export const INI = '/etc/subflowd/subflowd.ini';
export const CONFIG = '/etc/openvpn/server/office.conf';
export const INSTANCE = '/etc/openvpn/server/office-tcp.conf';
export const DROP_IN = '/etc/systemd/system/openvpn-server@office.service.d/subflowd.conf';
export const HELPER_DROP_IN = '/etc/systemd/system/subflowd-helper.service.d/10-setup.conf';
export const INSTANCE_DROP_IN = '/etc/systemd/system/openvpn-server@office-tcp.service.d/subflowd.conf';

/** The shortest config of a TCP server. */
export const TCP = `proto tcp-server
server 10.8.0.0 255.255.255.0
`;

/** The text of a file that setup wants; empty if it wants none. */
export function textOf({ files }: Decision, path: string): string {
  return files.find((file) => file.path === path)?.text ?? '';
}

/** The same, in lines. */
export function linesOf(decision: Decision, path: string): string[] {
  return textOf(decision, path).split('\n');
}

/** The facts of the host after the files of a decision were written, for a second run. */
export function afterwards(
  facts: HostFacts,
  decision: Decision,
  unit = 'openvpn-server@office-tcp',
): HostFacts {
  const instance = textOf(decision, INSTANCE);
  return {
    ...facts,
    ini: textOf(decision, INI),
    mptcp: { ...facts.mptcp, pm_type: '1' },
    servers: [
      ...facts.servers.map((server) => {
        const text = textOf(decision, server.config);
        const dropIn = textOf(decision, `/etc/systemd/system/${server.unit ?? ''}.service.d/subflowd.conf`);
        const command = /^ExecStart=(.+)$/m.exec(dropIn)?.[1];
        return text === ''
          ? server
          : { ...serverFacts(text, { name: server.name }), ...(command !== undefined && { command }) };
      }),
      ...(instance === ''
        ? []
        : [serverFacts(instance, { name: 'office-tcp', unit, command: '/usr/bin/mptcpize run openvpn' })]),
    ],
  };
}

/** What a second run would still write, apart from files that exist. */
export function changesOf(facts: HostFacts, first: Decision, options: SetupOptions = {}): string[] {
  const next = afterwards(facts, first);
  return decide(next, options)
    .files.filter(({ isOnlyNew }) => isOnlyNew !== true)
    .filter(({ path, text }) => text !== textOf(first, path))
    .map(({ path }) => path);
}
