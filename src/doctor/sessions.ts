import type { DaemonStatus, SessionPlan } from '../api/status.js';
import { note, type Check } from '../model/check.js';
import type { Session } from '../model/session.js';
import { PLAIN_CLIENT_REMEDY } from './servers.js';
import { checkSharedPaths } from './shared-paths.js';

/** Reports the problems of the daemon, and why single clients cannot be steered or have only one path. */
export function checkSessions({ sessions, problems, reports }: DaemonStatus): Check[] {
  return [
    ...[...problems, ...reports].map((problem) => note('daemon', problem)),
    ...sessions.flatMap(checkSession),
  ];
}

function reconnectRemedy({ cid }: Session): string {
  const kill = cid === undefined ? 'kill and its common name' : `client-kill ${cid}`;
  return `make it reconnect at a suitable time: ${kill} on OpenVPN's management interface`;
}

function checkSession({ session, connection, state, reason, subflows }: SessionPlan): Check[] {
  const what = `client ${session.commonName}`;
  if (state === 'plain') {
    return [note(what, 'it uses plain TCP', PLAIN_CLIENT_REMEDY)];
  }
  if (state === 'unknown') return [note(what, reason)];
  if (state === 'udp' || state === 'not-let-in') return [];
  const checks: Check[] = [];
  if (connection?.caveat !== undefined) {
    checks.push(note(what, connection.caveat, reconnectRemedy(session)));
  } else if (subflows.filter(({ throughTunnel }) => !throughTunnel).length === 1) {
    checks.push(
      note(
        what,
        'it has only one subflow',
        'at the client: ip mptcp limits set subflows 4 && ip mptcp endpoint add ADDRESS dev DEVICE subflow',
      ),
    );
  }
  if (subflows.some(({ throughTunnel }) => throughTunnel)) {
    checks.push(
      note(
        what,
        'it has a subflow through the tunnel itself, which stays backup',
        'at the client: remove the MPTCP endpoint of the tun device (multipath-tcp.org kernels: ip link set dev tun0 multipath off)',
      ),
    );
  }
  return [...checks, ...checkSharedPaths(what, subflows)];
}
