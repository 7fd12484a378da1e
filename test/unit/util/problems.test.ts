import { describe, expect, it } from 'vitest';
import { MAX_OPEN, Problems } from '../../../src/util/problems.js';

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
