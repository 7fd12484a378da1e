import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FairWork, WorkBudget, type SlicedWork } from '../../src/fair-work.js';
import { until } from '../support/until.js';

/** Work that never ends, and what it got. */
class Endless implements SlicedWork {
  slices = 0;
  spentMs = 0;

  constructor(readonly budget: WorkBudget) {}

  work(deadline: number): boolean {
    const start = performance.now();
    while (performance.now() < deadline);
    this.slices++;
    this.spentMs += performance.now() - start;
    return true;
  }
}

describe('FairWork', () => {
  it('gives each its turn, and everything else between two turns', async () => {
    const fair = new FairWork();
    const all = [1, 2, 3].map(() => new Endless(new WorkBudget({ burstMs: 60_000, share: 1 })));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (const work of all) fair.request(work);
    await until('thirty turns', () => all.every(({ slices }) => slices >= 10));
    clearInterval(timer);
    for (const work of all) fair.cancel(work);
    const slices = all.map((work) => work.slices);
    expect(Math.max(...slices) - Math.min(...slices)).toBeLessThanOrEqual(1);
    expect(turns).toBeGreaterThanOrEqual(10);
    await sleep(20);
    expect(all.map((work) => work.slices)).toEqual(slices);
  });

  it('lets work that has used up its budget wait, and the others go on', async () => {
    const fair = new FairWork();
    const poor = new Endless(new WorkBudget({ burstMs: 10, share: 0.01 }));
    const rich = new Endless(new WorkBudget({ burstMs: 60_000, share: 1 }));
    fair.request(poor);
    fair.request(rich);
    await until('the rich one has done much', () => rich.slices >= 100);
    for (const work of [poor, rich]) fair.cancel(work);
    expect(poor.slices).toBeLessThan(rich.slices / 4);
  });

  it('does what is asked for twice once', async () => {
    const fair = new FairWork();
    let times = 0;
    const work: SlicedWork = {
      budget: new WorkBudget({ burstMs: 10, share: 1 }),
      work: () => {
        times++;
        return false;
      },
    };
    fair.request(work);
    fair.request(work);
    await sleep(50);
    expect(times).toBe(1);
    fair.request(work);
    await until('again', () => times === 2);
  });
});
