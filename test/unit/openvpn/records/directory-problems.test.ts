import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DirectoryProblems, MOST_NAMED } from '../../../../src/openvpn/records/directory-problems.js';

let told: string[];
let over: string[];
let problems: DirectoryProblems;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  over = [];
  problems = new DirectoryProblems('/events/nobody', {
    onProblem: (text) => told.push(text),
    onResolved: (key) => over.push(key),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('DirectoryProblems', () => {
  it('reports a problem once while it lasts, and again when it comes back later', () => {
    for (let time = 0; time < 3; time++) problems.report('mode', 'open to others');
    expect(told).toEqual(['open to others']);
    vi.advanceTimersByTime(60_000);
    problems.resolve('mode');
    problems.report('mode', 'open to others');
    expect(told).toHaveLength(2);
  });

  it('ends every problem with the directory', () => {
    problems.report('mode', 'open to others');
    problems.report('over', 'was wrong');
    problems.resolve('over');
    problems.reportFile('/events/nobody/x', 'is no record', 'remove it');
    over = [];
    problems.end();
    expect(over).toEqual([
      '/events/nobody mode',
      '/events/nobody file /events/nobody/x',
      '/events/nobody more files',
    ]);
  });

  it('does not report each time what somebody toggles', () => {
    for (let time = 0; time < 1_000; time++) {
      problems.report('mode', `mode ${time}`);
      problems.resolve('mode');
    }
    expect(told).toEqual(['mode 0']);
    vi.advanceTimersByTime(10_000);
    problems.report('mode', 'another');
    expect(told).toEqual(['mode 0', 'another']);
  });

  it('names ten files a minute, and of the rest the number', () => {
    for (let file = 0; file < 1_000; file++) problems.reportFile(`junk ${file}`, 'is junk', 'remove it');
    for (let time = 0; time < 3; time++) problems.reportRest();
    expect(told).toHaveLength(11);
    expect(told.at(-1)).toBe(
      '990 more files in /events/nobody are no records of sessions; the last: "junk 999" is junk',
    );
    problems.reportFile('one more', 'is junk', 'remove it');
    problems.reportRest();
    expect(told).toHaveLength(11);
    vi.advanceTimersByTime(60_000);
    problems.reportRest();
    expect(told.at(-1)).toMatch(/^1 more files .* "one more" is junk$/);
  });

  it('remembers the 5 files that it named last', () => {
    for (let file = 0; file < MOST_NAMED + 1; file++) {
      if (file % 10 === 0) vi.advanceTimersByTime(60_000);
      problems.reportFile(`junk ${file}`, 'is junk', 'remove it');
    }
    expect(told).toHaveLength(MOST_NAMED + 1);
    expect(over.filter((key) => key.includes(' file '))).toEqual(['/events/nobody file junk 0']);
  });

  it('tells when what it told of is over', () => {
    problems.report('mode', 'open to others');
    problems.resolve('mode');
    problems.resolve('mode');
    problems.reportFile('junk', 'is junk', 'remove it');
    problems.resolveFile('junk');
    problems.resolveFile('other');
    expect(over.filter((key) => !key.endsWith('more files'))).toEqual([
      '/events/nobody mode',
      '/events/nobody file junk',
    ]);
  });
});
