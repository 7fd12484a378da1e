import { describe, expect, it } from 'vitest';
import { formatBytes } from '../../../src/model/byte-count.js';
import { periodAt } from '../../../src/model/quota-period.js';
import { formatQuota, formatQuotaUse, isOverQuota, type QuotaPeriod } from '../../../src/model/quota.js';

describe('a period of a quota', () => {
  it.each<[string, QuotaPeriod, number, string, string]>([
    ['2026-11-28T01:30:00Z', 'day', 1, '2026-11-28', '2026-11-29'],
    ['2026-11-28T23:59:59Z', 'week', 1, '2026-11-23', '2026-11-30'],
    ['2026-11-30T00:00:00Z', 'week', 1, '2026-11-30', '2026-12-07'],
    ['1970-01-01T00:00:00Z', 'week', 1, '1969-12-29', '1970-01-05'],
    ['2026-11-28T12:00:00Z', 'month', 1, '2026-11-01', '2026-12-01'],
    ['2026-11-14T23:59:59Z', 'month', 15, '2026-10-15', '2026-11-15'],
    ['2026-11-15T00:00:00Z', 'month', 15, '2026-11-15', '2026-12-15'],
    ['2027-01-05T00:00:00Z', 'month', 28, '2026-12-28', '2027-01-28'],
    ['2028-02-29T12:00:00Z', 'month', 28, '2028-02-28', '2028-03-28'],
  ])('at %s, a %s from day %i on, is from %s to %s', (now, period, day, start, end) => {
    const span = periodAt(Date.parse(now), period, day);
    expect([span.start, span.end]).toEqual([Date.parse(start), Date.parse(end)]);
  });
});

describe('the text of a quota', () => {
  const LTE = { path: 'lte', bytes: 5e9, period: 'month', units: 'decimal' } as const;
  const until = Date.parse('2026-12-01');

  it('has what was carried, the limit and the day on which it begins again', () => {
    expect(formatQuotaUse({ ...LTE, used: 5.1e9, until })).toBe(
      'lte: 5.1 GB of 5 GB this month, until 1 December',
    );
    expect(formatQuotaUse({ ...LTE, used: 0, period: 'day', until })).toBe(
      'lte: 0 B of 5 GB today, until 1 December',
    );
    expect(
      formatQuotaUse({ ...LTE, bytes: 2 ** 34, used: 2 ** 29, units: 'binary', period: 'week', until }),
    ).toBe('lte: 512 MiB of 16 GiB this week, until 1 December');
  });

  it('has the units of the config', () => {
    expect(formatQuota(LTE)).toBe('5 GB/month');
    expect(formatQuota({ bytes: 1.5 * 2 ** 30, period: 'day', units: 'binary' })).toBe('1.5 GiB/day');
    expect([999, 1e3, 123_456, 7.654e12, 2e15].map((bytes) => formatBytes(bytes))).toEqual([
      '999 B',
      '1 kB',
      '123 kB',
      '7.65 TB',
      '2000 TB',
    ]);
  });

  it('is over when all of it is used', () => {
    expect([4.9e9, 5e9, 6e9].map((used) => isOverQuota({ used, bytes: 5e9 }))).toEqual([false, true, true]);
  });
});
