import type { DaemonStatus, SessionPlan } from '../api/status.js';
import { note, type Check } from '../model/check.js';
import type { Session } from '../model/session.js';
import { PLAIN_CLIENT_REMEDY } from './servers.js';
import { checkSharedPaths } from './shared-paths.js';

/** How to fix a client whose connection began with MPTCP and fell back. */
const FALLBACK_REMEDY =
  'find what changes its packets on that network: a proxy, a firewall or a VPN on the way that strips or rewrites TCP options; ' +
  'it has MPTCP again when it reconnects over another network';
const NO_SUBFLOW_REMEDY =
  'it reconnects when its keepalive fails; if this happens often, a NAT on the way forgets connections: let OpenVPN send more ' +
  'often than that (keepalive 10 60 in the config of the server)';

/**
 * Reports the problems of the daemon, and why single clients cannot be steered or have only one path.
 * @param obstacles by PID of a server: the name of the check that says what on this host keeps its clients from joining.
 */
export function checkSessions(
  { sessions, problems, reports }: DaemonStatus,
  obstacles: ReadonlyMap<number, string> = new Map(),
): Check[] {
  return [
    ...[...problems, ...reports].map((problem) => note('daemon', problem)),
    ...sessions.flatMap((session) => checkSession(session, obstacles.get(session.session.pid))),
  ];
}

function reconnectRemedy({ cid }: Session): string {
  const kill = cid === undefined ? 'kill and its common name' : `client-kill ${cid}`;
  return `make it reconnect at a suitable time: ${kill} on OpenVPN's management interface`;
}

function checkSession(
  { session, connection, state, reason, subflows, fellBack }: SessionPlan,
  obstacle: string | undefined,
): Check[] {
  const what = `client ${session.commonName}`;
  if (fellBack !== undefined) return [note(what, reason, FALLBACK_REMEDY)];
  if (state === 'plain') {
    return [note(what, 'it uses plain TCP', PLAIN_CLIENT_REMEDY)];
  }
  if (state === 'unknown') return [note(what, reason)];
  if (state === 'udp' || state === 'not-let-in') return [];
  const checks: Check[] = [];
  if (connection !== undefined && subflows.length === 0) {
    return [note(what, 'its connection has no subflow left, so nothing reaches it', NO_SUBFLOW_REMEDY)];
  }
  if (connection?.caveat !== undefined) {
    checks.push(note(what, connection.caveat, reconnectRemedy(session)));
  } else if (subflows.filter(({ throughTunnel }) => !throughTunnel).length === 1) {
    checks.push(
      note(
        what,
        'it has only one subflow',
        obstacle !== undefined
          ? `first fix what this host does, which the line "${obstacle}" names; then let the client reconnect`
          : 'at the client: ip mptcp limits set subflows 4 && ip mptcp endpoint add ADDRESS dev DEVICE subflow',
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
