import * as highsModule from 'highs';

import type { BalanceInput } from '../../src/steering/balancer/balance.js';

// Its types are those of the CommonJS build, where this is the default of the default.
const loadHighs = highsModule.default as unknown as () => Promise<highsModule.Highs>;

/**
 * How full the fullest path must be at least (1 is full), whatever is moved: the optimum of the linear programme in which
 * sessions may be split over paths, solved by HiGHS to a part in 10 million.
 * @throws {Error} if HiGHS does not call its solution optimal.
 */
export async function linearBound({ paths, sessions }: BalanceInput): Promise<number> {
  const highs = await loadHighs();
  // One column for each session on each path that it may be on: which part of it is there. The last: the bound.
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
    (['down', 'up'] as const).map((way) => -(other?.[way] ?? 0) / (capacity?.[way] ?? Infinity)),
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
