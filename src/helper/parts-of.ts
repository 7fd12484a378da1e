import type { PriorityRequest } from '../backend/backend.js';
import { isSameEndpoint } from '../model/endpoint.js';
import { BOUNDS } from './messages.js';

/** Parts that fit into a message. The requests of one connection stay together. */
export function partsOf(requests: readonly PriorityRequest[]): PriorityRequest[][] {
  const parts: PriorityRequest[][] = [];
  let part: PriorityRequest[] = [];
  let start = 0;
  for (let next = 1; next <= requests.length; next++) {
    const [one, other] = [requests[next - 1], requests[next]];
    if (one && other && isSameConnection(one, other)) continue;
    const group = requests.slice(start, next);
    start = next;
    if (part.length > 0 && part.length + group.length > BOUNDS.changes) {
      parts.push(part);
      part = [];
    }
    part.push(...group);
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

function isSameConnection({ name: one }: PriorityRequest, { name: other }: PriorityRequest): boolean {
  return one.pid === other.pid && isSameEndpoint(one.connection, other.connection);
}
