import { balance } from '../../src/steering/balance.js';
import { crowd } from '../support/crowds.js';
import { generator, SEED } from '../support/random.js';

/** How long the balancer takes for one round, processor time in milliseconds: `npm run bench`; SEED=N repeats a run. */
const ROUNDS = 40;

console.log(
  `SEED=${SEED}, ${ROUNDS} rounds each: half of them take at most / the slowest takes, processor time`,
);
for (const sessions of [10, 100, 1000, 10_000]) {
  for (const moves of [32, Infinity]) {
    const random = generator(SEED);
    const crowds = Array.from({ length: 4 }, () => crowd(random, { sessions, paths: 8 }));
    const run = (round: number) => {
      const input = crowds[round % crowds.length] as (typeof crowds)[number];
      const start = process.cpuUsage();
      const made = balance(input, { moves });
      const { user, system } = process.cpuUsage(start);
      return { ms: (user + system) / 1000, made: made.moves.length };
    };
    for (let round = 0; round < ROUNDS; round++) run(round);
    const runs = Array.from({ length: ROUNDS }, (_, round) => run(round)).sort((a, b) => a.ms - b.ms);
    const at = (part: number) => runs[Math.floor(part * (ROUNDS - 1))]?.ms.toFixed(1) ?? '';
    const most = Math.max(...runs.map(({ made }) => made));
    console.log(
      `${sessions} sessions x 8 paths, at most ${moves} moves (${most} made): ${at(0.5)} / ${at(1)} ms`,
    );
  }
}
