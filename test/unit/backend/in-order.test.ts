import { expect, it } from 'vitest';
import type { PriorityRequest, PriorityResult } from '../../../src/backend/backend.js';
import { NOT_TRIED, setInOrder } from '../../../src/backend/in-order.js';
import { LTE, PID, SERVER, WIFI } from '../../support/alice.js';

const COMMITTED: PriorityResult = { outcome: 'committed', isMpPrioRequested: true };
const GONE: PriorityResult = { outcome: 'gone', isMpPrioRequested: false };

const request = (connection: number, remote = LTE, priority: 'active' | 'backup' = 'backup') => ({
  name: { pid: PID, connection: { address: WIFI.address, port: connection }, local: SERVER, remote },
  priority,
});
const toActive = (connection: number) => request(connection, WIFI, 'active');

/** Carries out requests; those in `failing` find no subflow. */
function set(requests: readonly PriorityRequest[], failing: readonly PriorityRequest[]) {
  const tried: PriorityRequest[] = [];
  const results = setInOrder(requests, (one) => {
    tried.push(one);
    return failing.includes(one) ? GONE : COMMITTED;
  });
  return { results, tried };
}

it('tries no other request of a connection after one to active that was not made', () => {
  const requests = [toActive(1), request(1), request(1), toActive(2), request(2)];
  const { results, tried } = set(requests, requests.slice(0, 1));
  expect(results).toEqual([GONE, NOT_TRIED, NOT_TRIED, COMMITTED, COMMITTED]);
  expect(tried).toEqual([requests[0], requests[3], requests[4]]);
});

it('goes on after a request to backup that was not made', () => {
  const requests = [request(1), request(1)];
  expect(set(requests, requests.slice(0, 1)).results).toEqual([GONE, COMMITTED]);
});

it('goes on with the same client of another process', () => {
  const [first, second] = [toActive(1), request(1)];
  const other = { ...second, name: { ...second.name, pid: PID + 1 } };
  expect(set([first, other], [first]).results).toEqual([GONE, COMMITTED]);
});
