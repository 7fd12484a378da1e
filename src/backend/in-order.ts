import { isSameEndpoint } from '../model/endpoint.js';
import type { NotTried, PriorityRequest, PriorityResult } from './backend.js';

export const NOT_TRIED: NotTried = { outcome: 'not-tried' };

/** Carries out requests one by one, as {@link Backend.setPriorities} has to. */
export function setInOrder(
  requests: readonly PriorityRequest[],
  set: (request: PriorityRequest) => PriorityResult,
): (PriorityResult | NotTried)[] {
  let failed: PriorityRequest | undefined;
  return requests.map((request) => {
    if (failed && isSameConnection(failed, request)) return NOT_TRIED;
    const result = set(request);
    const isSet = result.outcome === 'committed' || result.outcome === 'unchanged';
    failed = request.priority === 'active' && !isSet ? request : undefined;
    return result;
  });
}

function isSameConnection({ name: one }: PriorityRequest, { name: other }: PriorityRequest): boolean {
  return one.pid === other.pid && isSameEndpoint(one.connection, other.connection);
}
