import type { ClosedSubflows, ExcessSubflows } from '../model/subflow-limits.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { Session } from '../model/session.js';

/** Which subflows above a limit were closed, and for which sessions: one sentence for an admin. */
export function excessText(
  { closed, connections, worst }: ExcessSubflows,
  sessions: readonly Session[],
): string {
  const byEnd = new Map(sessions.map((session) => [keyOf(session.pid, session.real), session]));
  const others = connections - worst.length;
  return [
    `closed ${closed} ${closed === 1 ? 'subflow' : 'subflows'} above the limit: `,
    worst.map((one) => closedText(one, byEnd.get(keyOf(one.pid, one.client)))).join('; '),
    ...(others > 0 ? [`; and of ${others} more connections`] : []),
  ].join('');
}

function closedText({ pid, client, limit, closed }: ClosedSubflows, session: Session | undefined): string {
  const owner = session
    ? `of ${session.commonName}, server ${session.server}, from ${formatEndpoint(client)}`
    : `of ${formatEndpoint(client)}, which has no session at process ${pid}`;
  return `${closed} ${owner}, limit ${limit}`;
}

function keyOf(pid: number, end: Session['real']): string {
  return `${pid} ${formatEndpoint(end)}`;
}
