import type { Need } from '../lab/needs.js';
import type { Outcome } from './figure.js';
import type { RoundOptions } from './rounds.js';

/** How a benchmark runs. */
export interface Course extends RoundOptions {
  /** Whether there are few rounds and sessions, only to check that the benchmarks work. */
  readonly quick: boolean;
  /** The directory for results and logs. */
  readonly output: string;
  /** Prints progress. */
  readonly say: (text: string) => void;
}

/** One benchmark. list.ts names all of them. */
export interface Bench {
  readonly name: string;
  /** One line of --help. */
  readonly about: string;
  readonly needs: readonly Need[];
  run(course: Course): Promise<Outcome>;
}
