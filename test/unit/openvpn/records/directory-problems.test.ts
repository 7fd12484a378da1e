import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DirectoryProblems, MAX_NAMED_FILES } from '../../../../src/openvpn/records/directory-problems.js';

let reported: string[];
/** The keys of the problems that were resolved. */
let resolved: string[];
let problems: DirectoryProblems;

beforeEach(() => {
  vi.useFakeTimers();
  reported = [];
  resolved = [];
  problems = new DirectoryProblems('/events/nobody', {
    onProblem: (text) => reported.push(text),
    onResolved: (key) => resolved.push(key),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('DirectoryProblems', () => {
  it('reports a problem once while it lasts, and again if it comes back later', () => {
    for (let attempt = 0; attempt < 3; attempt++) problems.report('mode', 'open to others');
    expect(reported).toEqual(['open to others']);
    vi.advanceTimersByTime(60_000);
    problems.resolve('mode');
    problems.report('mode', 'open to others');
    expect(reported).toHaveLength(2);
  });

  it('resolves every problem when the directory is removed', () => {
    problems.report('mode', 'open to others');
    problems.report('over', 'was wrong');
    problems.resolve('over');
    problems.reportFile('/events/nobody/x', 'is not a record', 'remove it');
    resolved = [];
    problems.end();
    expect(resolved).toEqual([
      '/events/nobody mode',
      '/events/nobody file /events/nobody/x',
      '/events/nobody more files',
    ]);
  });

  it('does not report every change of a state that somebody changes back and forth', () => {
    for (let change = 0; change < 1_000; change++) {
      problems.report('mode', `mode ${change}`);
      problems.resolve('mode');
    }
    expect(reported).toEqual(['mode 0']);
    vi.advanceTimersByTime(10_000);
    problems.report('mode', 'another');
    expect(reported).toEqual(['mode 0', 'another']);
  });

  it('reports ten files a minute by name, and the number of the others', () => {
    for (let file = 0; file < 1_000; file++) problems.reportFile(`junk ${file}`, 'is junk', 'remove it');
    for (let attempt = 0; attempt < 3; attempt++) problems.reportRest();
    expect(reported).toHaveLength(11);
    expect(reported.at(-1)).toBe(
      '990 more files in /events/nobody are not records of sessions; the last: "junk 999" is junk',
    );
    problems.reportFile('one more', 'is junk', 'remove it');
    problems.reportRest();
    expect(reported).toHaveLength(11);
    vi.advanceTimersByTime(60_000);
    problems.reportRest();
    expect(reported.at(-1)).toMatch(/^1 more files .* "one more" is junk$/);
  });

  it('keeps the reports on the 5 files that it reported last', () => {
    for (let file = 0; file < MAX_NAMED_FILES + 1; file++) {
      if (file % 10 === 0) vi.advanceTimersByTime(60_000);
      problems.reportFile(`junk ${file}`, 'is junk', 'remove it');
    }
    expect(reported).toHaveLength(MAX_NAMED_FILES + 1);
    expect(resolved.filter((key) => key.includes(' file '))).toEqual(['/events/nobody file junk 0']);
  });

  it('resolves what it reported', () => {
    problems.report('mode', 'open to others');
    problems.resolve('mode');
    problems.resolve('mode');
    problems.reportFile('junk', 'is junk', 'remove it');
    problems.resolveFile('junk');
    problems.resolveFile('other');
    expect(resolved.filter((key) => !key.endsWith('more files'))).toEqual([
      '/events/nobody mode',
      '/events/nobody file junk',
    ]);
  });
});
