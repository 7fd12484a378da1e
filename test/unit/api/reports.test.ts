import { describe, expect, it } from 'vitest';
import { EVENT_MS, Reports } from '../../../src/api/reports.js';
import { MAX_OPEN, Problems } from '../../../src/util/problems.js';

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

describe('Problems', () => {
  it('has at most 64 open, and accepts another when one is resolved', () => {
    const opened: string[] = [];
    const problems = new Problems({
      onProblem: (_text, key) => opened.push(key),
      onResolved: () => undefined,
    });
    for (let n = 0; n < MAX_OPEN + 10; n++) problems.open(`${n}`, 'bad');
    expect(opened).toHaveLength(64);
    problems.open('0', 'worse');
    problems.resolve('1');
    problems.open('late', 'bad');
    problems.open('later', 'bad');
    expect(opened.slice(64)).toEqual(['0', 'late']);
  });

  it('reports each one once, again if its text changes, and when it is resolved', () => {
    const reported: string[] = [];
    const problems = new Problems({
      onProblem: (text, key) => reported.push(`${key}: ${text}`),
      onResolved: (key) => reported.push(`${key} is over`),
    });
    problems.open('a', 'one');
    problems.open('a', 'one');
    problems.open('a', 'two');
    problems.open('b', 'three');
    problems.resolve('a');
    problems.resolve('a');
    problems.resolveMatching(() => true);
    expect(reported).toEqual(['a: one', 'a: two', 'b: three', 'a is over', 'b is over']);
  });
});
