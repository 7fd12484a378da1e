import * as highsModule from 'highs';

import type { BalanceInput } from '../../src/steering/balancer/balance.js';

// Its types are of the CommonJS build, which has one more level of `default`.
const loadHighs = highsModule.default as unknown as () => Promise<highsModule.Highs>;

/**
 * A lower bound of the utilisation of the fullest path, for any distribution; 1 is full. It is the optimum of the
 * linear programme in which sessions can be split over paths. HiGHS solves it with a precision of 1 in 10 million.
 * @throws {Error} if HiGHS finds no optimal solution.
 */
export async function linearBound({ paths, sessions }: BalanceInput): Promise<number> {
  const highs = await loadHighs();
  // One column for each session and path that it may use: the part of the session there. The last column is the bound.
  const starts: number[] = [];
  const indices: number[] = [];
  const values: number[] = [];
  const rowOf = (path: number) => sessions.length + 2 * path;
  sessions.forEach(({ rate, allowed, cost }, session) => {
    paths.forEach(({ name, capacity }, path) => {
      if (!allowed.includes(name) || !capacity) return;
      const counts = cost?.get(name) ?? 1;
      starts.push(indices.length);
      indices.push(session, rowOf(path), rowOf(path) + 1);
      values.push(1, (counts * rate.down) / capacity.down, (counts * rate.up) / capacity.up);
    });
  });
  starts.push(indices.length);
  paths.forEach((_, path) => {
    indices.push(rowOf(path), rowOf(path) + 1);
    values.push(-1, -1);
  });
  const numCols = starts.length;
  starts.push(indices.length);

  const all = (length: number, value: number) => new Float64Array(length).fill(value);
  const numRows = sessions.length + 2 * paths.length;
  const others = paths.flatMap(({ capacity, other }) =>
    (['down', 'up'] as const).map(
      (direction) => -(other?.[direction] ?? 0) / (capacity?.[direction] ?? Infinity),
    ),
  );
  const whole = all(sessions.length, 1);
  return highs.withModel(
    {
      numCols,
      numRows,
      colCost: all(numCols, 0).fill(1, -1),
      colLower: all(numCols, 0),
      colUpper: all(numCols, highs.infinity),
      rowLower: [...whole, ...all(others.length, -highs.infinity)],
      rowUpper: [...whole, ...others],
      matrix: { format: 'csc', numRows, numCols, starts, indices, values },
    },
    (model) => {
      model.options.set({ output_flag: false, solver: 'ipm', run_crossover: 'off' });
      model.run();
      if (model.getModelStatus() !== highs.constants.modelStatus.optimal) throw new Error('no optimum found');
      return model.getObjectiveValue();
    },
  );
}
