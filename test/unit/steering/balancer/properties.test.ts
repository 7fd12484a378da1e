import { describe, expect, test } from 'vitest';
import {
  balance,
  BALANCE_DEFAULTS,
  type BalanceInput,
  type Move,
} from '../../../../src/steering/balancer/balance.js';
import { afterMoves, fullest, NOW, randomInput, runUntilStable } from '../../../support/balance-inputs.js';
import { generator, SEED } from '../../../support/random.js';

const SECOND = 1000;

/** As `expect`, which would take most of the time. */
function must(isTrue: boolean, message: string): void {
  if (!isTrue) throw new Error(message);
}

/** Random paths and sessions: at most 8 and 59. */
function anyInput(random: () => number): BalanceInput {
  const below = (limit: number) => Math.floor(random() * limit);
  return randomInput(random, {
    sessions: below(60),
    paths: 1 + below(8),
    allowed: 0.3 + 0.7 * random(),
    idle: 0.3 * random(),
    costs: random() < 0.3,
  });
}

/**
 * By which factor the fullest path can become fuller, at most. Moves lower the sum of the pressures of all directions, and a
 * pressure is a utilisation to the power of 128. So a relief of many equally full directions can burden one of them.
 */
function mostFuller(paths: number): number {
  return (2 * paths) ** (1 / 128);
}

/** Throws if a session moves before its dwell time has passed. */
class DwellCheck {
  readonly #movedAt = new Map<string, number>();

  record(moves: readonly Move[], now: number, dwell: number): void {
    for (const { id } of moves) {
      const last = this.#movedAt.get(id);
      must(last === undefined || now - last >= dwell, `${id} moved after ${now - (last ?? 0)} ms`);
      this.#movedAt.set(id, now);
    }
  }
}

describe(`balance, for any input, SEED=${SEED}`, () => {
  test(
    'stops moving sessions under constant load, and never returns to an earlier distribution',
    { timeout: 60_000 },
    () => {
      const random = generator(SEED);
      let roundsWithMoves = 0;
      for (let round = 0; round < 500; round++) {
        let current = anyInput(random);
        const options = { moves: 1 + Math.floor(random() * 8), dwell: 2 * SECOND };
        const dwellCheck = new DwellCheck();
        const distributions = new Set<string>();
        const fullestBefore = fullest(current);
        let secondsWithoutMoves = 0;
        for (let second = 0; secondsWithoutMoves * SECOND <= options.dwell; second++) {
          must(second < 1000, `input ${round} does not stop moving`);
          const result = balance(current, options);
          must(result.moves.length <= options.moves, `input ${round}: ${result.moves.length} moves`);
          dwellCheck.record(result.moves, current.now, options.dwell);
          const next = afterMoves(current, result, current.now + SECOND);
          secondsWithoutMoves = result.moves.length === 0 ? secondsWithoutMoves + 1 : 0;
          if (secondsWithoutMoves === 0) {
            roundsWithMoves++;
            const distribution = next.sessions.map(({ path }) => path).join();
            must(!distributions.has(distribution), `input ${round} returned to an earlier distribution`);
            distributions.add(distribution);
          }
          current = next;
        }
        must(
          fullest(current) <= fullestBefore * mostFuller(current.paths.length),
          `input ${round} became fuller`,
        );
      }
      expect(roundsWithMoves).toBeGreaterThan(500);
    },
  );

  test(
    'moves a session once, to an allowed path, and only if it is not idle: 500 moves',
    { timeout: 60_000 },
    () => {
      const random = generator(SEED);
      let moveCount = 0;
      while (moveCount < 500) {
        const input = anyInput(random);
        const before = JSON.stringify(input.sessions);
        const { moves, paths } = balance(input);
        expect(balance(input)).toEqual({ moves, paths });
        expect(JSON.stringify(input.sessions)).toBe(before);
        expect(new Set(moves.map(({ id }) => id)).size).toBe(moves.length);
        const sessions = new Map(input.sessions.map((session) => [session.id, session]));
        for (const { id, from, to } of moves) {
          const session = sessions.get(id);
          expect(session?.allowed).toContain(to);
          expect(from).toBe(session?.path);
          expect(to).not.toBe(from);
          const { down = 0, up = 0 } = session?.rate ?? {};
          expect(down + up).toBeGreaterThanOrEqual(BALANCE_DEFAULTS.idle);
          moveCount++;
        }
      }
    },
  );

  test(
    'stops only if no single move would relieve the fuller of two paths by more than the gain',
    { timeout: 60_000 },
    () => {
      const random = generator(SEED);
      for (let round = 0; round < 100; round++) {
        let current = anyInput(random);
        for (let result = balance(current); result.moves.length > 0; result = balance(current)) {
          current = afterMoves(current, result, current.now + BALANCE_DEFAULTS.dwell);
        }
        const fullnessOf = (input: BalanceInput, name: string) =>
          fullest({ ...input, paths: input.paths.filter((path) => path.name === name) });
        for (const session of current.sessions) {
          const from = session.path ?? '';
          const before = fullnessOf(current, from);
          if (session.rate.down + session.rate.up < BALANCE_DEFAULTS.idle || before < 0.05) continue;
          for (const to of session.allowed.filter((name) => name !== from)) {
            const after = afterMoves(current, { moves: [{ id: session.id, from, to }] });
            const fullerAfter = Math.max(fullnessOf(after, from), fullnessOf(after, to));
            // two full directions of a path have more pressure than one: ln 2 / 128 on either side
            must(
              fullerAfter > before * (1 - BALANCE_DEFAULTS.gain) * 0.99,
              `input ${round}: ${session.id} to ${to}`,
            );
          }
        }
      }
    },
  );

  test(
    'respects dwell times and gone paths for 10 minutes of varying rates, paths and subflows',
    { timeout: 60_000 },
    () => {
      const random = generator(SEED);
      for (let round = 0; round < 5; round++) {
        const world = randomInput(random, { sessions: 40, paths: 4, allowed: 0.8 });
        let current = world;
        const movedAt = new Map<string, number>();
        for (let second = 0; second < 600; second++) {
          const jitter = () => 0.7 + 0.6 * random();
          const gone = new Set(world.paths.filter(() => random() < 0.02).map(({ name }) => name));
          current = {
            ...current,
            now: NOW + second * SECOND,
            sessions: world.sessions.map((session, index) => {
              const { path = '', since = 0 } = current.sessions[index] ?? {};
              const rate = { down: session.rate.down * jitter(), up: session.rate.up * jitter() };
              return {
                ...session,
                rate,
                path,
                since,
                allowed: session.allowed.filter((name) => !gone.has(name)),
              };
            }),
          };
          const { moves } = balance(current);
          const byId = new Map(current.sessions.map((session) => [session.id, session]));
          for (const { id, from = '', to } of moves) {
            must(!gone.has(to), `${id} to a path that is gone`);
            const age = current.now - (movedAt.get(id) ?? 0);
            const couldNotStay = byId.get(id)?.allowed.includes(from) !== true;
            must(couldNotStay || age >= BALANCE_DEFAULTS.dwell, `${id} moved after ${age} ms`);
            movedAt.set(id, current.now);
          }
          must(moves.length <= 40, 'more moves than sessions');
          current = afterMoves(current, { moves });
          for (const { path = '', allowed } of current.sessions) {
            must(allowed.length === 0 || allowed.includes(path), 'left on a path that is gone');
          }
        }
      }
    },
  );

  test('gives a session that flaps ten times a second a path each time, and moves no other session', () => {
    const random = generator(SEED);
    const world = randomInput(random, { sessions: 20, paths: 3, allowed: 1 });
    const { id, allowed } = world.sessions[0] as BalanceInput['sessions'][number];
    const { input: others } = runUntilStable({ ...world, sessions: world.sessions.slice(1) });
    let placed = 0;
    for (let tick = 0; tick < 100; tick++) {
      const now = others.now + tick * 100;
      const here = tick % 2 === 0 ? [{ id, allowed, rate: { down: 0, up: 0 }, since: now }] : [];
      const { moves } = balance({ ...others, now, sessions: [...here, ...others.sessions] });
      placed += moves.length;
      expect(moves.every((move) => move.id === id)).toBe(true);
    }
    expect(placed).toBe(50);
  });
});
