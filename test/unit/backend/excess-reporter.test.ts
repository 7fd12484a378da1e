import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ExcessSubflows } from '../../../src/model/subflow-limits.js';
import { ExcessReporter, NAMED, PAUSE_MS } from '../../../src/backend/netlink/excess-reporter.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('names the ten connections with the most closed subflows, and counts all, at most every ten seconds', () => {
  const reports: ExcessSubflows[] = [];
  const tally = new ExcessReporter();
  tally.onExcess((excess) => reports.push(excess));
  const add = (token: number) => {
    tally.add({ pid: 1, token, client: { address: '192.0.2.1', port: token }, limit: 2 });
  };
  for (let token = 1; token <= NAMED + 2; token++) for (let count = 0; count < token; count++) add(token);
  vi.advanceTimersByTime(1_000);
  add(1);
  vi.advanceTimersByTime(PAUSE_MS - 1_000);
  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatchObject({ closed: 78, connections: 12 });
  expect(reports[0]?.worst.map(({ token }) => token)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  vi.advanceTimersByTime(1_000);
  expect(reports).toHaveLength(2);
  tally.close();
});
