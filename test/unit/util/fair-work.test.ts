import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairWork, WorkBudget, type SlicedWork } from '../../../src/util/fair-work.js';
import { until } from '../../support/until.js';

/** Endless work that records its slices. */
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

/** Resolves when other work has had ten turns: by then, any work that is due has had one. */
async function tenTurns(fair: FairWork): Promise<void> {
  const other = new Endless(new WorkBudget({ burstMs: 60_000, share: 1 }));
  fair.request(other);
  await until('ten turns', () => other.slices >= 10);
  fair.cancel(other);
}

describe('FairWork', () => {
  it('gives each piece of work a turn, and lets other events run between two turns', async () => {
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
    await tenTurns(fair);
    expect(all.map((work) => work.slices)).toEqual(slices);
  });

  it('lets work without budget wait, and continues the others', async () => {
    const fair = new FairWork();
    const poor = new Endless(new WorkBudget({ burstMs: 10, share: 0.01 }));
    const rich = new Endless(new WorkBudget({ burstMs: 60_000, share: 1 }));
    fair.request(poor);
    fair.request(rich);
    await until('the rich one has done much', () => rich.slices >= 100);
    for (const work of [poor, rich]) fair.cancel(work);
    expect(poor.slices).toBeLessThan(rich.slices / 4);
  });

  it('does work once that is requested twice', async () => {
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
    await tenTurns(fair);
    expect(times).toBe(1);
    fair.request(work);
    await until('again', () => times === 2);
  });

  it('stops work that is cancelled during its turn', async () => {
    const fair = new FairWork();
    let times = 0;
    const work: SlicedWork = {
      budget: new WorkBudget({ burstMs: 1_000, share: 1 }),
      work: () => {
        times++;
        fair.cancel(work);
        return true;
      },
    };
    fair.request(work);
    await until('its turn', () => times > 0);
    await tenTurns(fair);
    expect(times).toBe(1);
  });

  // the caller is another work in its turn, the work itself, or code between two turns
  it('does requested work and no cancelled work, whoever requests or cancels it, and whenever', async () => {
    const act = fc.record({ does: fc.constantFrom('request' as const, 'cancel' as const), to: fc.nat(2) });
    const acts = fc.array(act, { maxLength: 4 });
    const turn = fc.record({ acts, isLeft: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(turn, { maxLength: 6 }), { minLength: 3, maxLength: 3 }),
        fc.array(acts, { minLength: 1, maxLength: 6 }),
        async (turns, between) => {
          const fair = new FairWork();
          const isDue = [false, false, false];
          const wrong: string[] = [];
          const doAll = (what: readonly { does: 'request' | 'cancel'; to: number }[]) => {
            for (const { does, to } of what) {
              isDue[to] = does === 'request';
              fair[does](works[to] as SlicedWork);
            }
          };
          const works = turns.map((own, who): SlicedWork => {
            const left = [...own];
            return {
              // with this small share, work without budget waits for a timer
              budget: new WorkBudget({ burstMs: who === 2 ? 0.001 : 1_000, share: 1 }),
              work: () => {
                if (!isDue[who]) wrong.push(`${who} has a turn though nobody wants it`);
                const now = left.shift();
                let isAsked = false;
                isDue[who] = false;
                for (const one of now?.acts ?? []) {
                  if (one.to === who) isAsked = true;
                  doAll([one]);
                }
                const isLeft = now?.isLeft ?? false;
                if (isLeft && !isAsked) isDue[who] = true;
                return isLeft;
              },
            };
          });
          for (const what of between) {
            doAll(what);
            await new Promise((done) => setImmediate(done));
          }
          await until('all is done', () => wrong.length > 0 || !isDue.includes(true), 5_000);
          // no event shows that no work follows
          await sleep(3);
          expect(wrong).toEqual([]);
          expect(isDue).toEqual([false, false, false]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
