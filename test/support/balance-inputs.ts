import {
  balance,
  BALANCE_DEFAULTS,
  type Balance,
  type BalanceInput,
  type BalanceOptions,
  type BalancedPath,
  type BalancedSession,
} from '../../src/steering/balancer/balance.js';

/** At this time the dwell time of all sessions has passed. */
export const NOW = 3_600_000;

const MBIT = 1e6;

export interface InputShape {
  readonly sessions: number;
  readonly paths: number;
  /** The part of the paths that a session may use, on average. */
  readonly allowed?: number;
  /** The part of the sessions that is idle. */
  readonly idle?: number;
  /** Whether some sessions have costs. */
  readonly costs?: boolean;
}

/** Sessions of very different rates on random paths of very different capacities. */
export function randomInput(
  random: () => number,
  { sessions, paths, allowed = 0.7, idle = 0, costs = false }: InputShape,
): BalanceInput {
  const names = Array.from({ length: paths }, (_, path) => `path ${path}`);
  const some = () => names.filter(() => random() < allowed);
  const one = (from: readonly string[]) => from[Math.floor(random() * from.length)] as string;
  return {
    now: NOW,
    paths: names.map((name): BalancedPath => {
      const capacity = { down: (5 + 95 * random()) * MBIT, up: (2 + 48 * random()) * MBIT };
      const other = { down: capacity.down * 0.3 * random(), up: capacity.up * 0.3 * random() };
      return { name, capacity, ...(random() < 0.2 && { other }) };
    }),
    sessions: Array.from({ length: sessions }, (_, session): BalancedSession => {
      const choices = some();
      const mayBe = choices.length > 0 ? choices : [one(names)];
      // few large ones, many small ones
      const rate = { down: 20 * MBIT * random() ** 3, up: 8 * MBIT * random() ** 3 };
      return {
        id: `session ${session}`,
        rate: random() < idle ? { down: 500 * random(), up: 500 * random() } : rate,
        path: one(mayBe),
        since: 0,
        allowed: mayBe,
        ...(costs && random() < 0.3 && { cost: new Map([[one(mayBe), 0.5 + 2 * random()]]) }),
      };
    }),
  };
}

/** The input of the next round, after these moves. */
export function afterMoves(
  input: BalanceInput,
  { moves }: Pick<Balance, 'moves'>,
  now = input.now,
): BalanceInput {
  const to = new Map(moves.map((move) => [move.id, move.to]));
  return {
    ...input,
    now,
    sessions: input.sessions.map((session) => {
      const path = to.get(session.id);
      return path === undefined ? session : { ...session, path, since: input.now };
    }),
  };
}

/**
 * Runs rounds, each after the dwell time of all sessions, until one makes no move.
 * @returns the input of that round, and the number of all moves.
 * @throws {Error} if 100 rounds all make moves.
 */
export function runUntilStable(
  input: BalanceInput,
  options?: Partial<BalanceOptions>,
): { readonly input: BalanceInput; readonly moves: number } {
  let current = input;
  let moves = 0;
  for (let round = 0; round < 100; round++) {
    const made = balance(current, options);
    if (made.moves.length === 0) return { input: current, moves };
    moves += made.moves.length;
    current = afterMoves(current, made, current.now + (options?.dwell ?? BALANCE_DEFAULTS.dwell));
  }
  throw new Error('moves in each of 100 rounds');
}

/** The utilisation of the fullest path, in the direction where that is higher; 1 is full. */
export function fullest({ paths, sessions }: BalanceInput): number {
  const utilisations = paths.flatMap(({ name, capacity, other }) => {
    const here = sessions.filter(({ path }) => path === name);
    return (['down', 'up'] as const).map((direction) => {
      const load = here.reduce((sum, { rate, cost }) => sum + rate[direction] * (cost?.get(name) ?? 1), 0);
      return (load + (other?.[direction] ?? 0)) / (capacity?.[direction] ?? Infinity);
    });
  });
  return Math.max(0, ...utilisations);
}
