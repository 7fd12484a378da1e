import { describe, expect, it } from 'vitest';
import { EVENT_MS, Reports } from '../../../src/api/reports.js';

describe('Reports', () => {
  it('shows a problem with the time of its start until it is resolved', () => {
    const reports = new Reports();
    reports.add('no socket', 'management', 1000);
    reports.add('refused', 'management', 2000);
    expect(reports.all(10 * EVENT_MS)).toEqual([{ text: 'refused', since: 1000 }]);
    expect(reports.resolve('management')).toMatchObject({ text: 'refused' });
    expect(reports.resolve('management')).toBeUndefined();
    expect(reports.all(0)).toEqual([]);
  });

  it('shows an event for some time', () => {
    const reports = new Reports();
    reports.add('a record was removed', undefined, 1000);
    reports.add('a record was removed', undefined, 2000);
    expect(reports.all(1999 + EVENT_MS)).toEqual([{ text: 'a record was removed', since: 2000 }]);
    expect(reports.all(2000 + EVENT_MS)).toEqual([]);
  });

  it('shows the last 20 reports', () => {
    const reports = new Reports();
    for (let n = 0; n < 30; n++) reports.add(`problem ${n}`, `${n}`, n);
    expect(reports.all(30).map(({ since }) => since)).toEqual(Array.from({ length: 20 }, (_, n) => n + 10));
  });

  it('shows lasting problems before events', () => {
    const reports = new Reports();
    reports.add('management is away', 'management', 0);
    for (let n = 1; n < 30; n++) reports.add(`event ${n}`, undefined, n);
    expect(reports.all(30).map(({ text }) => text)).toEqual([
      'management is away',
      ...Array.from({ length: 19 }, (_, n) => `event ${n + 11}`),
    ]);
  });
});
