import { isSameEndpoint } from '../../model/endpoint.js';
import type { Connection } from '../../model/connection.js';
import type { Subflow } from '../../model/subflow.js';
import { subflowKey } from './tracked-servers.js';

/**
 * Which subflows of a connection to close, so that it has no more than its limit. These are kept first: the initial subflow;
 * then subflows that have carried data, and the only active one; then subflows of an earlier observation. The newest are
 * closed. A subflow that is being closed already does not count among those to keep: it would be gone a moment later.
 * @param limit 1 or more.
 * @param before the connection in an earlier observation; undefined if it was not there.
 * @param isClosing whether a subflow is being closed already.
 */
export function excessSubflows(
  connection: Connection,
  limit: number,
  before: Connection | undefined,
  isClosing: (subflow: Subflow) => boolean,
): readonly Subflow[] {
  const { remote, local, subflows } = connection;
  if (subflows.length <= limit) return [];
  const earlier = new Set(before?.subflows.map(subflowKey));
  const active = subflows.filter(({ ours }) => ours === 'active');
  // the higher the rank, the sooner a subflow is kept
  const rank = (subflow: Subflow): number => {
    if (isClosing(subflow)) return -1;
    if (isSameEndpoint(subflow.remote, remote) && isSameEndpoint(subflow.local, local)) return 3;
    const carried = (subflow.bytesAcked ?? 0) + (subflow.bytesReceived ?? 0);
    if (carried > 0 || (active.length === 1 && active[0] === subflow)) return 2;
    return earlier.has(subflowKey(subflow)) ? 1 : 0;
  };
  // The sort is stable: of subflows with the same rank, those that were observed first are kept.
  return subflows
    .map((subflow) => ({ subflow, rank: rank(subflow) }))
    .sort((one, other) => other.rank - one.rank)
    .slice(limit)
    .map(({ subflow }) => subflow);
}
