import type { ClosedSubflows, ExcessSubflows } from '../model/subflow-limits.js';
import { formatEndpoint, type Endpoint } from '../model/endpoint.js';
import type { Session } from '../model/session.js';

/** One sentence for an admin: how many subflows above a limit were closed, and of which sessions. */
export function excessText(
  { closed, connections, worst }: ExcessSubflows,
  sessions: readonly Session[],
): string {
  const byEndpoint = new Map(sessions.map((session) => [keyOf(session.pid, session.real), session]));
  const others = connections - worst.length;
  return [
    `closed ${closed} ${closed === 1 ? 'subflow' : 'subflows'} above the limit: `,
    worst.map((one) => closedText(one, byEndpoint.get(keyOf(one.pid, one.client)))).join('; '),
    ...(others > 0 ? [`; and of ${others} more connections`] : []),
  ].join('');
}

function closedText({ pid, client, limit, closed }: ClosedSubflows, session: Session | undefined): string {
  const owner = session
    ? `of ${session.commonName}, server ${session.server}, from ${formatEndpoint(client)}`
    : `of ${formatEndpoint(client)}, which has no session at process ${pid}`;
  return `${closed} ${owner}, limit ${limit}`;
}

function keyOf(pid: number, endpoint: Endpoint): string {
  return `${pid} ${formatEndpoint(endpoint)}`;
}
