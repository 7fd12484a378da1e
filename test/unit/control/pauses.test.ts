import { expect, it } from 'vitest';
import { PAUSES } from '../../../src/control/pauses.js';
import { Pace } from '../../../src/util/pace.js';

it.each(Object.keys(PAUSES) as (keyof typeof PAUSES)[])(
  'looks at a server again within a minute, whatever a look costs (%s): only so a priority that another set is found',
  (situation) => {
    const pace = new Pace();
    for (const ms of [0, 1, 10, 100, 1_000, 10_000, 3_600_000]) {
      // of the last two times the lesser counts
      pace.took(ms);
      pace.took(ms);
      expect(pace.pause({ ...PAUSES[situation], least: 1_000 })).toBeLessThanOrEqual(60_000);
    }
  },
);

it('looks a four-thousandth of the time at a server that tells of its changes, until that would be less than once a minute', () => {
  const pace = new Pace();
  pace.took(2);
  pace.took(2);
  expect(pace.pause({ ...PAUSES.told, least: 1_000 })).toBe(8_000);
});
