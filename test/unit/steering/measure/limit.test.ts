import { describe, expect, test } from 'vitest';

import { learnLimit, NO_LIMIT, type Limit } from '../../../../src/steering/measure/limit.js';

const MINUTE = 60_000;

/** A path with this capacity in Mbit/s, and this much left for us, while we ask for `asked`; one step each second. */
class Path {
  now = 0;
  limit: Limit = NO_LIMIT;
  wasFull = false;

  constructor(
    readonly capacity: number | undefined,
    public left: number,
  ) {}

  run(asked: number, time: number): this {
    for (const end = this.now + time; this.now < end; this.now += 1000) {
      const carried = Math.min(asked, this.left);
      this.limit = learnLimit(this.limit, {
        now: this.now,
        elapsed: 1000,
        carried: carried * 1e6,
        isFull: asked > this.left,
        isNewlyFull: !this.wasFull,
        capacity: this.capacity === undefined ? undefined : this.capacity * 1e6,
      });
      this.wasFull = asked > this.left;
    }
    return this;
  }

  get mbit(): number | undefined {
    return this.limit.rate === undefined ? undefined : this.limit.rate / 1e6;
  }
}

describe('the limit of a path', () => {
  test('is not known before the queue grew', () => {
    expect(new Path(20, 14).run(10, MINUTE).mbit).toBeUndefined();
  });

  test('is what the path carries while its queue grows, and is kept after that', () => {
    const path = new Path(20, 14).run(20, 20_000);
    expect(path.mbit).toBeCloseTo(14, 1);
    expect(path.run(5, MINUTE).mbit).toBeCloseTo(14, 1);
  });

  test('falls when foreign traffic begins, and rises when the path carries more', () => {
    const path = new Path(20, 14).run(20, 20_000);
    path.left = 6;
    expect(path.run(20, 20_000).mbit).toBeCloseTo(6, 1);
    path.left = 18;
    expect(path.run(16, 2000).mbit).toBe(16);
  });

  test('is dropped when it has risen to the capacity', () => {
    const path = new Path(20, 14).run(20, 20_000);
    expect(path.run(5, 3 * MINUTE).mbit).toBeGreaterThan(15);
    expect(path.run(5, 5 * MINUTE).limit).toBe(NO_LIMIT);
  });

  test('is valid twice as long after each probe that failed, up to an hour', () => {
    const path = new Path(20, 14).run(20, 20_000);
    const holds: number[] = [];
    for (let time = 0; time < 10; time++) {
      path.run(5, path.limit.validFor + 20_000);
      path.run(20, 10_000);
      holds.push(path.limit.validFor / MINUTE);
    }
    expect(holds).toEqual([4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
  });

  test('rises slowly and without end if the capacity is not known', () => {
    const path = new Path(undefined, 14).run(20, 20_000);
    expect(path.run(5, 12 * MINUTE).mbit).toBeGreaterThan(20);
    expect(path.mbit).toBeLessThan(50);
    expect(path.run(5, 60 * 24 * MINUTE).mbit).toBeLessThanOrEqual(1e9);
  });
});
