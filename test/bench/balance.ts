import { balance } from '../../src/steering/balancer/balance.js';
import { randomInput } from '../support/balance-inputs.js';
import { generator, SEED } from '../support/random.js';
import type { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { spreadOf, takeTurns } from './rounds.js';

const PATHS = 8;

export const balanceBench: Bench = {
  name: 'balance',
  about: `a round of the balancer with up to 10,000 sessions on ${PATHS} paths: with its usual number of moves, and without a limit (SEED=${SEED})`,
  needs: [],
  async run(course) {
    const sizes = course.quick ? [100, 1_000] : [100, 1_000, 10_000];
    const figures: Figure[] = [];
    for (const sessions of sizes) {
      course.say(`a round of ${sessions} sessions`);
      const random = generator(SEED);
      const crowds = Array.from({ length: 4 }, () => randomInput(random, { sessions, paths: PATHS }));
      const rounds = (moves: number) => (count: number) => {
        // Processor time is enough, because a round never waits.
        const start = process.cpuUsage();
        for (let round = 0; round < count; round++) {
          balance(crowds[round % crowds.length] as (typeof crowds)[number], { moves });
        }
        const { user, system } = process.cpuUsage(start);
        return (user + system) * 1e3;
      };
      const times = await takeTurns({ usual: rounds(32), all: rounds(Infinity) }, course);
      const figure = (name: string, ns: readonly number[]): Figure => ({
        name: `${name}: ${sessions} sessions, ${PATHS} paths`,
        against: 'nothing',
        where: 'this machine',
        ours: spreadOf(ns),
        unit: 'ns',
      });
      figures.push(
        figure('a round of balance', times.usual),
        figure('a round of balance without a limit of moves', times.all),
      );
    }
    return { figures };
  },
};
