import type { ClosedSubflows, ExcessSubflows } from '../model/subflow-limits.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { Session } from '../model/session.js';

/** What was closed above limits, and whose it was, in one sentence for an admin; common names as OpenVPN gives them. */
export function excessText(
  { closed, connections, worst }: ExcessSubflows,
  sessions: readonly Session[],
): string {
  const byEnd = new Map(sessions.map((session) => [keyOf(session.pid, session.real), session]));
  const others = connections - worst.length;
  return [
    `closed ${closed} ${closed === 1 ? 'subflow' : 'subflows'} above the limit: `,
    worst.map((one) => whose(one, byEnd.get(keyOf(one.pid, one.client)))).join('; '),
    ...(others > 0 ? [`; and of ${others} more connections`] : []),
  ].join('');
}

function whose({ pid, client, limit, closed }: ClosedSubflows, session: Session | undefined): string {
  const who = session
    ? `of ${session.commonName}, server ${session.server}, from ${formatEndpoint(client)}`
    : `of ${formatEndpoint(client)}, who has no session at process ${pid}`;
  return `${closed} ${who}, limit ${limit}`;
}

function keyOf(pid: number, end: Session['real']): string {
  return `${pid} ${formatEndpoint(end)}`;
}
