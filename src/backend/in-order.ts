import { isSameEndpoint } from '../model/endpoint.js';
import type { NotTried, PriorityRequest, PriorityResult } from './backend.js';

export const NOT_TRIED: NotTried = { outcome: 'not-tried' };

/** The requests of one connection: those from `next` up to `end`, without `end` itself. */
export interface ConnectionGroup {
  next: number;
  readonly end: number;
}

/** Divides requests, of which those of one connection follow each other. */
export function groupByConnection(requests: readonly PriorityRequest[]): ConnectionGroup[] {
  const groups: ConnectionGroup[] = [];
  for (let next = 0, end = 1; next < requests.length; next = end++) {
    while (end < requests.length && isSameConnection(requests, next, end)) end++;
    groups.push({ next, end });
  }
  return groups;
}

/** Whether the subflow has the requested priority. */
export function isMade(result: PriorityResult | NotTried | undefined): boolean {
  return result?.outcome === 'committed' || result?.outcome === 'unchanged';
}

function isSameConnection(requests: readonly PriorityRequest[], at: number, other: number): boolean {
  const [one, two] = [requests[at]?.name, requests[other]?.name];
  return (
    one?.pid === two?.pid &&
    one !== undefined &&
    two !== undefined &&
    isSameEndpoint(one.connection, two.connection)
  );
}
