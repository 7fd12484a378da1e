import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Problems } from '../../../src/openvpn/problems.js';

let told: string[];
let problems: Problems;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  problems = new Problems('/events/nobody', (text) => told.push(text));
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Problems', () => {
  it('reports a problem once while it lasts, and again when it comes back later', () => {
    for (let time = 0; time < 3; time++) problems.report('mode', 'open to others');
    expect(told).toEqual(['open to others']);
    vi.advanceTimersByTime(60_000);
    problems.solved('mode');
    problems.report('mode', 'open to others');
    expect(told).toHaveLength(2);
  });

  it('does not report each time what somebody toggles', () => {
    for (let time = 0; time < 1_000; time++) {
      problems.report('mode', `mode ${time}`);
      problems.solved('mode');
    }
    expect(told).toEqual(['mode 0']);
    vi.advanceTimersByTime(10_000);
    problems.report('mode', 'another');
    expect(told).toEqual(['mode 0', 'another']);
  });

  it('names ten files a minute, and of the rest the number', () => {
    for (let file = 0; file < 1_000; file++) problems.complain(`junk ${file}`, 'remove it');
    for (let time = 0; time < 3; time++) problems.summarize();
    expect(told).toHaveLength(11);
    expect(told.at(-1)).toBe(
      '990 more files in /events/nobody are no records of sessions; the last: junk 999',
    );
    problems.complain('one more', 'remove it');
    problems.summarize();
    expect(told).toHaveLength(11);
    vi.advanceTimersByTime(60_000);
    problems.summarize();
    expect(told.at(-1)).toMatch(/^1 more files .* one more$/);
  });
});
