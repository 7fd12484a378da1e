import { BACKENDS } from '../backend/backends.js';
import type { BackendName } from '../model/backend-name.js';
import { bad, note, ok, unknown, type Check } from '../model/check.js';
import type { ServerStatus } from '../openvpn/server-status.js';
import { checkHooks } from './hooks.js';
import { checkRepeatedHooks } from './repeated-hooks.js';
import { socketKinds, type SocketKinds } from './sockets.js';

const RESTART = 'systemctl restart openvpn-server@NAME';
/** Completes "start it under mptcpize: ". */
const DROP_IN = `openvpn-conf/openvpn-server@.service.d/mptcp.conf is a drop-in for its unit (openvpn@.service.d for openvpn@NAME), then systemctl daemon-reload && ${RESTART}`;
/** How to fix a client that uses plain TCP. */
export const PLAIN_CLIENT_REMEDY =
  'start its OpenVPN under mptcpize run, on a kernel with MPTCP. If it does so: after a network that drops MPTCP, its kernel uses ' +
  'plain TCP for up to net.mptcp.blackhole_timeout seconds (3600): sysctl -w net.mptcp.blackhole_timeout=0 there ends that, then ' +
  'reconnect it. Else something on the way strips the options of MPTCP: try another network';
/** The largest number of peers that one check names. */
export const MAX_PEERS = 10;

/**
 * Checks one server: its management interface, its hooks and its processes.
 * @param backend the backend whose own checks of each process are added; undefined: none are added.
 */
export async function checkServer(server: ServerStatus, backend?: BackendName): Promise<Check[]> {
  const { pids } = server;
  const processes = await Promise.all(pids.map((pid) => checkProcess(server, pid, backend)));
  return [
    checkManagement(server),
    ...(await checkHooks(server)),
    ...(await checkRepeatedHooks(server)),
    ...processes.flat(),
  ];
}

function checkManagement({
  name,
  management,
  managementTrouble,
  pids,
  recorded,
  version,
}: ServerStatus): Check {
  const what = `server ${name}`;
  const isProcessKnown = pids.length > 0;
  if (management === 'connected') {
    const programAndVersion = version?.split(' ').slice(0, 2).join(' ') ?? '';
    return ok(what, `management answers: ${programAndVersion}`);
  }
  if (management === 'unreachable') {
    const found = managementTrouble ?? 'its management interface has not answered yet';
    const remedy = `start OpenVPN with the management line of openvpn-conf/server.conf, and name its socket in [openvpn ${name}]`;
    return isProcessKnown
      ? note(what, `${found}; the hooks have recorded ${recorded} sessions`, remedy)
      : bad(what, found, remedy);
  }
  return isProcessKnown
    ? ok(what, `no management configured; the hooks have recorded ${recorded} sessions`)
    : unknown(
        what,
        'no management configured, and no hook has recorded a session yet: connect a client; where some are connected, see its log for client-connect',
      );
}

async function checkProcess(server: ServerStatus, pid: number, backend?: BackendName): Promise<Check[]> {
  const what = `server ${server.name}, process ${pid}`;
  let kinds: SocketKinds;
  let forBackend: readonly Check[] = [];
  try {
    kinds = await socketKinds(pid);
    if (backend !== undefined && kinds.mptcpListeners > 0)
      forBackend = (await BACKENDS[backend].probeServer?.(what, pid)) ?? [];
  } catch (error) {
    return [socketsFault(what, error as NodeJS.ErrnoException)];
  }
  const { mptcpListeners, plainPeers, tun } = kinds;
  const checks = [checkSockets(what, kinds, server), ...forBackend];
  if (mptcpListeners > 0 && plainPeers.length > 0) {
    checks.push(note(what, `plain TCP comes from ${peersText(plainPeers)}`, PLAIN_CLIENT_REMEDY));
  }
  if (!tun) {
    checks.push(
      bad(
        what,
        'data-channel offload is on (/dev/net/tun is not open), which does not work with MPTCP',
        `add disable-dco to its config, and ${RESTART}`,
      ),
    );
  }
  return checks;
}

/** Checks that the process serves MPTCP. */
function checkSockets(
  what: string,
  { udp, mptcpListeners, plainListeners }: SocketKinds,
  { name, management }: ServerStatus,
): Check {
  if (udp > 0 && mptcpListeners + plainListeners > 0 && management !== 'connected') {
    return bad(
      what,
      'it serves UDP and TCP, and hooks cannot see which of them a client uses: if two clients have the same address and port, neither is steered',
      `add the management line of openvpn-conf/server.conf to its config, and name its socket in [openvpn ${name}]; or serve ` +
        'UDP in a separate process',
    );
  }
  if (mptcpListeners > 0) {
    return udp > 0
      ? note(what, 'it serves MPTCP, and also UDP, whose clients cannot be steered')
      : ok(what, 'it serves MPTCP');
  }
  if (udp > 0) {
    return bad(
      what,
      'it serves UDP: MPTCP is TCP',
      'set proto tcp-server in its config and proto tcp-client at the clients, and start it under mptcpize: ' +
        DROP_IN,
    );
  }
  if (plainListeners > 0) {
    return bad(what, 'it listens with plain TCP', `start it under mptcpize: ${DROP_IN}`);
  }
  return unknown(what, 'it does not listen: it is starting, or it is not a server (proto tcp-server)');
}

function socketsFault(what: string, { code, message }: NodeJS.ErrnoException): Check {
  if (code === 'ENOENT' || code === 'ESRCH') {
    // ENOENT can also mean that a program which reads the sockets is not installed
    const program = /spawn (\S+) ENOENT/.exec(message)?.[1];
    return program === undefined
      ? unknown(what, 'the process is gone')
      : bad(
          what,
          `its sockets cannot be read: there is no ${program}`,
          'apt-get install iproute2 util-linux',
        );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return bad(what, 'this user may not read its sockets', 'run it as root: sudo subflowd doctor');
  }
  return unknown(what, `its sockets cannot be read: ${message}`);
}

/** A list of peers for a message. It names at most {@link MAX_PEERS}, and counts the others. */
export function peersText(peers: readonly string[]): string {
  const more = peers.length > MAX_PEERS ? ` and ${peers.length - MAX_PEERS} more` : '';
  return `${peers.slice(0, MAX_PEERS).join(', ')}${more}`;
}
