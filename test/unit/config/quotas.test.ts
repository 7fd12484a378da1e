import { describe, expect, it } from 'vitest';
import { mistakes, parsed, PATHS } from '../../support/config-text.js';

const MANAGED = PATHS.replace('[openvpn server]\n', '[openvpn server]\nmanagement = /run/m\n');

const ruleOf = (lines: string) => parsed(`${MANAGED}[default]\nprimary =\n${lines}`).default;

describe('quota', () => {
  it.each([
    ['lte 5GB/month', { lte: { bytes: 5e9, period: 'month', units: 'decimal' } }],
    ['lte 1.5 GiB / week', { lte: { bytes: 1.5 * 2 ** 30, period: 'week', units: 'binary' } }],
    [
      'lte 500mb/day, wifi 1TiB/month',
      {
        lte: { bytes: 5e8, period: 'day', units: 'decimal' },
        wifi: { bytes: 2 ** 40, period: 'month', units: 'binary' },
      },
    ],
    ['lte 1000TB/month', { lte: { bytes: 1e15, period: 'month', units: 'decimal' } }],
  ])('= %s is read', (text, quota) => {
    expect(ruleOf(`quota = ${text}`).quota).toEqual(quota);
  });

  it('has a day on which months begin', () => {
    expect(ruleOf('quota = lte 5GB/month\nquota-day = 15')).toMatchObject({ quotaDay: 15 });
    expect(ruleOf('quota = lte 5GB/month')).not.toHaveProperty('quotaDay');
  });

  const form = 'is not a path and an amount (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB) per day, week, month';
  it.each([
    ['quota = lte 5GB', `9: [default]: quota: \`lte 5GB\` ${form}; write for example lte 5GB/month`],
    ['quota = 5GB/month', `9: [default]: quota: \`5GB/month\` ${form}; write for example lte 5GB/month`],
    [
      'quota = lte 5GB/year',
      `9: [default]: quota: \`lte 5GB/year\` ${form}; write for example lte 5GB/month`,
    ],
    ['quota = lte 5/day', `9: [default]: quota: \`lte 5/day\` ${form}; write for example lte 5GB/month`],
    [
      'quota = lte 0GB/day',
      '9: [default]: quota: `lte 0GB/day` is not from 1kB to 1000TB; remove it from the list if the path has no quota',
    ],
    ['quota = lte 1GB/day, lte 2GB/week', '9: [default]: quota: a path is listed twice'],
    [
      'quota = ltee 1GB/day',
      '9: [default]: quota: no [path ltee] is defined (did you mean `lte`?); known: wifi, lte',
    ],
    [
      'quota = lte 1GB/day\nquota-day = 2',
      '10: [default]: quota-day: no `quota` here is per month; add one, or remove the line',
    ],
    [
      'quota = lte 1GB/month\nquota-day = 29',
      '10: [default]: quota-day: `29` is not a whole number from 1 to 28',
    ],
  ])('%j is a mistake with its line', (lines, mistake) => {
    expect(mistakes(`${MANAGED}[default]\nprimary =\n${lines}`)).toEqual([mistake]);
  });
});

describe('rejoin-after', () => {
  it('is a time, and off unless it is written', () => {
    expect(ruleOf('rejoin-after = 5m')).toMatchObject({ rejoinAfter: 300_000 });
    expect(ruleOf('rejoin-after = 5min')).toMatchObject({ rejoinAfter: 300_000 });
    expect(ruleOf('')).not.toHaveProperty('rejoinAfter');
  });

  it('is from a second to a day', () => {
    expect(mistakes(`${MANAGED}[default]\nprimary =\nrejoin-after = 0s`)).toEqual([
      '9: [default]: rejoin-after: `0s` is not from 1s to 24h',
    ]);
  });

  it('needs a management interface', () => {
    expect(mistakes(`${PATHS}[client a]\nprimary =\nrejoin-after = 5m`)).toEqual([
      '8: [client a]: rejoin-after: clients are disconnected by the management interface of OpenVPN; set `management` in ' +
        '[openvpn], or remove the line',
    ]);
  });
});
