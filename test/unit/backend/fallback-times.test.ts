import { expect, it } from 'vitest';
import { FallbackTimes } from '../../../src/backend/fallback-times.js';
import type { PlainPeer } from '../../../src/model/connection.js';

const PID = 7;
const plain: PlainPeer = { pid: PID, remote: { address: '192.0.2.1', port: 1 } };
const fallen: PlainPeer = { pid: PID, remote: { address: '192.0.2.2', port: 2 }, fellBack: true };

/** @returns the times, and a clock that begins at 1,000 ms. */
function start() {
  const clock = { now: 1_000 };
  return { clock, times: new FallbackTimes(() => clock.now) };
}

it('keeps the time of the first observation of each fallback', () => {
  const { clock, times } = start();
  expect(times.addTo(PID, [plain, fallen])).toEqual([plain, { ...fallen, fellBackSince: 1_000 }]);
  clock.now = 2_000;
  const other: PlainPeer = { ...fallen, remote: { address: '192.0.2.3', port: 3 } };
  expect(times.addTo(PID, [fallen, other]).map(({ fellBackSince }) => fellBackSince)).toEqual([1_000, 2_000]);
});

it('forgets a connection that closed, and servers that ended', () => {
  const { clock, times } = start();
  times.addTo(PID, [fallen]);
  times.addTo(PID, []);
  clock.now = 2_000;
  expect(times.addTo(PID, [fallen])[0]?.fellBackSince).toBe(2_000);
  times.keepOnly([]);
  clock.now = 3_000;
  expect(times.addTo(PID, [fallen])[0]?.fellBackSince).toBe(3_000);
});

it('returns a list without fallbacks unchanged', () => {
  const list = [plain];
  expect(start().times.addTo(PID, list)).toBe(list);
});
