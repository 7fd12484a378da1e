import { isSameEndpoint } from '../../model/endpoint.js';
import type { Connection } from '../../model/connection.js';
import type { Subflow } from '../../model/subflow.js';
import { subflowKey } from './tracked-servers.js';

/**
 * Which subflows of a connection to close, so that it has no more than its limit. Kept are, as far as the limit goes, the
 * one that it began with; then those that have carried data, and the only one that is active; then those that were there
 * before; and the newest go.
 * @param limit 1 or more.
 * @param before the connection at an earlier look; undefined: it was not there.
 */
export function excessSubflows(
  connection: Connection,
  limit: number,
  before: Connection | undefined,
): readonly Subflow[] {
  const { remote, local, subflows } = connection;
  if (subflows.length <= limit) return [];
  const earlier = new Set(before?.subflows.map(subflowKey));
  const active = subflows.filter(({ ours }) => ours === 'active');
  const worth = (subflow: Subflow): number => {
    if (isSameEndpoint(subflow.remote, remote) && isSameEndpoint(subflow.local, local)) return 3;
    const carried = (subflow.bytesAcked ?? 0) + (subflow.bytesReceived ?? 0);
    if (carried > 0 || (active.length === 1 && active[0] === subflow)) return 2;
    return earlier.has(subflowKey(subflow)) ? 1 : 0;
  };
  // of those that are worth the same, the order in which they were seen
  return subflows
    .map((subflow) => ({ subflow, worth: worth(subflow) }))
    .sort((one, other) => other.worth - one.worth)
    .slice(limit)
    .map(({ subflow }) => subflow);
}
