import type { QuotaPeriod } from './quota.js';

/** Milliseconds of a day in UTC, which has no leap seconds in Unix time. */
export const DAY_MS = 86_400_000;

/** One period of a quota: Unix time in milliseconds, from `start` to before `end`. Both are at 00:00 UTC. */
export interface TimeSpan {
  readonly start: number;
  readonly end: number;
}

/** 1970-01-01 was a Thursday; a week begins on Monday (ISO 8601). */
const FIRST_MONDAY = 4;

/**
 * The period that a time is in. All periods begin at 00:00 UTC.
 * @param now Unix time, milliseconds.
 * @param monthDay the day on which months begin, 1 to 28: each month has it.
 */
export function periodAt(now: number, period: QuotaPeriod, monthDay: number): TimeSpan {
  return PERIODS[period](now, monthDay);
}

const PERIODS: Readonly<Record<QuotaPeriod, (now: number, monthDay: number) => TimeSpan>> = {
  day(now) {
    const start = Math.floor(now / DAY_MS) * DAY_MS;
    return { start, end: start + DAY_MS };
  },
  week(now) {
    const day = Math.floor(now / DAY_MS);
    const start = (Math.floor((day - FIRST_MONDAY) / 7) * 7 + FIRST_MONDAY) * DAY_MS;
    return { start, end: start + 7 * DAY_MS };
  },
  month(now, monthDay) {
    const date = new Date(now);
    const month = date.getUTCMonth() - (date.getUTCDate() < monthDay ? 1 : 0);
    return {
      start: Date.UTC(date.getUTCFullYear(), month, monthDay),
      end: Date.UTC(date.getUTCFullYear(), month + 1, monthDay),
    };
  },
};
