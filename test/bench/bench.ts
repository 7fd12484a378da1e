import type { Need } from '../lab/needs.js';
import type { Outcome } from './figure.js';
import type { RoundOptions } from './rounds.js';

/** What a benchmark is given. */
export interface Course extends RoundOptions {
  /** Fewer rounds and sessions: to see that it works, not to publish. */
  readonly quick: boolean;
  /** A directory for whatever it leaves. */
  readonly output: string;
  /** Progress. */
  readonly say: (text: string) => void;
}

/** A module of this directory; list.ts names them all. */
export interface Bench {
  readonly name: string;
  /** One line for --help. */
  readonly about: string;
  readonly needs: readonly Need[];
  run(course: Course): Promise<Outcome>;
}
