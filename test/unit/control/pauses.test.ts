import { expect, it } from 'vitest';
import { PAUSES } from '../../../src/control/pauses.js';
import { Pace } from '../../../src/util/pace.js';

it.each(Object.keys(PAUSES) as (keyof typeof PAUSES)[])(
  'observes a server at least once a minute, however long a round takes (%s), to find priorities that another program set',
  (situation) => {
    const pace = new Pace();
    for (const ms of [0, 1, 10, 100, 1_000, 10_000, 3_600_000]) {
      // the shorter of the last two durations counts
      pace.addDuration(ms);
      pace.addDuration(ms);
      expect(pace.pauseMs({ ...PAUSES[situation], leastMs: 1_000 })).toBeLessThanOrEqual(60_000);
    }
  },
);

it('observes for one four-thousandth of the time if the backend reports changes, but at least once a minute', () => {
  const pace = new Pace();
  pace.addDuration(2);
  pace.addDuration(2);
  expect(pace.pauseMs({ ...PAUSES.withEvents, leastMs: 1_000 })).toBe(8_000);
});
