import type { DaemonStatus } from '../console/status.js';
import type { ServerStatus } from '../openvpn/server.js';
import type { SessionPlan } from '../steering/plan.js';
import { bad, note, ok, unknown, type Check } from './check.js';
import { socketKinds } from './sockets.js';

/** What must be true of one server's process and of how it is reached. */
export function checkServer(server: ServerStatus): Check[] {
  const { name, pids } = server;
  return [checkManagement(server), ...pids.flatMap((pid) => checkProcess(name, pid))];
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
  if (management === 'connected')
    return ok(what, `management answers: ${version?.split(' ').slice(0, 2).join(' ') ?? ''}`);
  if (management === 'unreachable') {
    const found = `management cannot be reached: ${managementTrouble ?? 'no answer yet'}`;
    const remedy = `start OpenVPN with the management line of openvpn-conf/server.conf, and name its socket in [openvpn ${name}]`;
    return pids.length > 0
      ? note(what, `${found}; the hooks tell of ${recorded} sessions`, remedy)
      : bad(what, found, remedy);
  }
  return pids.length > 0
    ? ok(what, `no management configured; the hooks tell of ${recorded} sessions`)
    : unknown(what, 'no management configured, and no hook has recorded a session yet: connect a client');
}

function checkProcess(name: string, pid: number): Check[] {
  const what = `server ${name}, process ${pid}`;
  let kinds;
  try {
    kinds = socketKinds(pid);
  } catch (error) {
    return [unknown(what, `its sockets cannot be seen: ${(error as Error).message}`)];
  }
  const { udp, tcpListeners, mptcp, tun } = kinds;
  const checks: Check[] = [];
  if (udp > 0) {
    checks.push(
      bad(
        what,
        'it serves UDP: MPTCP is TCP',
        'set proto tcp-server in its config and proto tcp-client at the clients',
      ),
    );
  } else if (tcpListeners > 0) {
    checks.push(
      bad(
        what,
        'it listens with plain TCP',
        'start it under mptcpize: openvpn-conf/mptcp.conf is a drop-in for its unit',
      ),
    );
  } else if (mptcp > 0) {
    checks.push(ok(what, 'it serves MPTCP'));
  }
  if (!tun) {
    checks.push(
      bad(
        what,
        'data-channel offload is on (it does not hold /dev/net/tun): it does not do MPTCP',
        'add disable-dco to its config',
      ),
    );
  }
  return checks;
}

/** What stands in the way of single clients. */
export function checkSessions({ sessions, problems }: DaemonStatus): Check[] {
  return [...problems.map((problem) => note('daemon', problem)), ...sessions.flatMap(checkSession)];
}

function checkSession({ session, state, reason, subflows }: SessionPlan): Check[] {
  const what = `client ${session.commonName}`;
  if (state === 'plain') {
    return [
      note(what, 'it speaks plain TCP', 'start its OpenVPN under mptcpize run, on a kernel with MPTCP'),
    ];
  }
  if (state === 'unknown') return [note(what, reason)];
  const checks: Check[] = [];
  if (subflows.filter(({ throughTunnel }) => !throughTunnel).length === 1) {
    checks.push(
      note(
        what,
        'it has one subflow only',
        'at the client: ip mptcp limits set subflows 4 && ip mptcp endpoint add ADDRESS dev DEVICE subflow',
      ),
    );
  }
  if (subflows.some(({ throughTunnel }) => throughTunnel)) {
    checks.push(
      note(
        what,
        'it has a subflow through the tunnel itself; that one is kept backup',
        'at the client: no MPTCP endpoint on the tun device (multipath-tcp.org kernels: ip link set dev tun0 multipath off)',
      ),
    );
  }
  return checks;
}
