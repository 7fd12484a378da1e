import { expect, it } from 'vitest';
import { groupByConnection, isMade } from '../../../src/backend/in-order.js';
import { LTE, PID, SERVER, WIFI } from '../../support/alice.js';

const request = (connection: number, pid = PID) => ({
  name: { pid, connection: { address: WIFI.address, port: connection }, local: SERVER, remote: LTE },
  priority: 'active' as const,
});

it('divides requests by connection, and those of one client at two servers too', () => {
  expect(groupByConnection([])).toEqual([]);
  expect(groupByConnection([request(1), request(1), request(2), request(2, PID + 1)])).toEqual([
    { next: 0, end: 2 },
    { next: 2, end: 3 },
    { next: 3, end: 4 },
  ]);
});

it('takes a priority that was set or already there for made', () => {
  const results = ['committed', 'unchanged', 'gone', 'refused'] as const;
  expect(results.map((outcome) => isMade({ outcome, isMpPrioRequested: false }))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(isMade({ outcome: 'not-tried' })).toBe(false);
});
