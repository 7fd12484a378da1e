import { lastOf } from '../openvpn/config-file.js';
import { editConfig } from './edit-config.js';
import type { HostFacts, ServerFacts, WantedFile } from './facts.js';
import { decideHooks } from './hook-lines.js';
import type { ServerSection } from './ini-text.js';
import { SETUP_FILES } from './installed-files.js';
import {
  credentialDropIn,
  credentialFile,
  managementOf,
  managementSocket,
  managementText,
} from './management.js';
import { noParts, restartCost, type Parts } from './parts.js';
import { startUnderMptcpize } from './unit-drop-in.js';

/** OpenVPN 2.4 and 2.5 do not have disable-dco. */
export const WITHOUT_OFFLOAD = ['ignore-unknown-option disable-dco', 'disable-dco'];

/**
 * Decides what a TCP server needs: MPTCP, a management interface that can be shared, and the hooks.
 * @param managed the management addresses that subflowd.ini has.
 */
export function decideTcp(server: ServerFacts, facts: HostFacts, managed: ReadonlySet<string>): Parts {
  const { name, config, lines, unit } = server;
  const management = managementOf(server);
  const isManaged = management !== undefined && managed.has(management.address);
  const socket = isManaged ? management.address : managementSocket(server.name);
  const hooks = decideHooks(lines, facts.hooks);
  const replaced = new Map(hooks.chained);
  const added = [...hooks.added];
  if (lastOf(lines, 'disable-dco') === undefined) added.push(...WITHOUT_OFFLOAD);
  if (management?.address !== socket) {
    const line = managementText(socket, management?.passwordFile);
    if (management === undefined) added.push(line);
    else replaced.set('management', line);
  }
  const text = lines
    .filter(({ file }) => file === config)
    .map((line) => `${line.text}\n`)
    .join('');
  const edited = editConfig(text, { file: config, lines }, replaced, added);
  const notes = hooks.without === undefined ? [] : [withoutHooksNote(name, hooks.without)];
  if (
    !isManaged &&
    management?.passwordFile !== undefined &&
    management.port === undefined &&
    takeoverKey(server) === 'console'
  )
    notes.push(
      `a monitor at ${management.address} is not asked for the password any more: the mode of the socket protects it`,
    );
  if (edited !== text && unit === undefined) {
    return {
      ...noParts(),
      obstacles: [
        {
          what: `server ${name} runs without a systemd unit, so setup cannot restart it`,
          remedy: `run it as openvpn-server@${name}, with its config in /etc/openvpn/server, then: subflowd setup`,
        },
      ],
    };
  }
  const cost = restartCost(server);
  return {
    ...noParts(),
    files: [
      {
        path: config,
        text: edited,
        mode: 0o600,
        why: whyText(server, socket),
        ...(cost !== undefined && { cost }),
        ...(unit !== undefined && { unit }),
      },
      ...startUnderMptcpize(server, facts),
      ...(isManaged ? [] : linkFile(server, socket)),
      ...(isManaged || management?.passwordFile === undefined
        ? []
        : [credentialDropIn(name, management.passwordFile)]),
    ],
    sections: isManaged ? [] : [sectionFor(server, socket)],
    ...(unit !== undefined && { steeredUnit: unit }),
    consoleUsers: isManaged
      ? []
      : server.managementClients.map(({ user }) => user).filter((user) => user !== 'root'),
    notes,
  };
}

/** The section of a server: its console takes over the address that its management interface had. */
function sectionFor(server: ServerFacts, socket: string): ServerSection {
  const management = managementOf(server);
  const entries: [string, string][] = [['management', socket]];
  if (management?.passwordFile !== undefined) entries.push(['password-file', credentialFile(server.name)]);
  if (management !== undefined && management.address !== socket)
    entries.push([takeoverKey(server), ownAddress(server)]);
  const asks = management?.port !== undefined || takeoverKey(server) === 'console-auth';
  if (asks && management?.passwordFile !== undefined)
    entries.push(['console-password-file', credentialFile(server.name)]);
  // as OpenVPN does; the program at this address knows no console of subflowd
  if (management !== undefined && management.address !== socket) entries.push(['console-hangup', 'yes']);
  return { name: server.name, entries };
}

/** Where subflowd answers: at the address that OpenVPN had, or, for a unix socket, at one to which a link leads from there. */
function ownAddress(server: ServerFacts): string {
  const management = managementOf(server);
  if (management?.port !== undefined) return management.address;
  const suffix = takeoverKey(server) === 'console-auth' ? '-auth' : '';
  return `${SETUP_FILES.consoles}/${server.name}${suffix}.sock`;
}

/** The daemon may make sockets only in its own directory, so a link stands where the management socket was. */
function linkFile(server: ServerFacts, socket: string): WantedFile[] {
  const management = managementOf(server);
  if (management === undefined || management.port !== undefined || management.address === socket) return [];
  const address = ownAddress(server);
  return [
    {
      path: `${SETUP_FILES.links}/subflowd-${server.name}.conf`,
      text: [
        '# made by subflowd setup: programs find the management interface where it was',
        `L+ ${management.address} - - - - ${address}`,
        '',
      ].join('\n'),
      mode: 0o644,
      why: `${management.address} becomes a link to ${address}, where subflowd answers`,
      link: management.address,
    },
  ];
}

/**
 * The key for the address that OpenVPN's management interface had. With `management-client-auth`, the program there decides
 * about clients and does not know how to claim that.
 */
function takeoverKey(server: ServerFacts): string {
  if (lastOf(server.lines, 'management-client-auth') !== undefined) return 'console-auth';
  return managementOf(server)?.port === undefined ? 'console' : 'console-listen';
}

function whyText(server: ServerFacts, socket: string): string {
  const management = managementOf(server);
  const parts = ['it gets what subflowd needs'];
  if (management !== undefined && management.address !== socket)
    parts.push(
      `its management interface moves to ${socket}, and subflowd answers at ${management.address} instead, for many clients`,
    );
  for (const option of ['client-connect', 'client-disconnect']) {
    const script = lastOf(server.lines, option)?.words?.[1];
    if (script !== undefined) parts.push(`${script} goes on deciding`);
  }
  return parts.join('; ');
}

/** Without hooks, the management interface reports the clients. */
export function withoutHooksNote(name: string, why: string): string {
  return `server ${name} gets no hooks: ${why}. Its management interface reports the clients.`;
}
