import type { Distribution } from './distribution.js';

/** The most sessions that are tried on all paths together. The others are small compared with these. */
const MAX_SESSIONS = 16;

/** The most trials of one session on one path, in total. This limits the time to a few milliseconds. */
const MAX_STEPS = 100_000;

/**
 * Finds an improvement that no single move makes: moves several of the largest sessions together, so that the fullest
 * path becomes less full by at least `gain`. Of all such solutions it takes one with the fewest moves.
 * @param movable the sessions that may be moved, the largest first.
 * @param negligible the utilisation up to which a path is not relieved.
 * @returns whether sessions were moved.
 */
export function rearrange(
  distribution: Distribution,
  movable: readonly number[],
  negligible: number,
): boolean {
  const fullestBefore = distribution.fullest();
  if (fullestBefore <= negligible) return false;
  const pressureBefore = distribution.pressure(fullestBefore);
  const search = new Search(distribution, movable.slice(0, MAX_SESSIONS));
  const before = search.current();
  let best = findLeastFull(search, before, distribution.gain);
  // as full, but with fewer moves
  for (let moves = 0; best && moves < best.moves; moves++) {
    best = search.findUnder(best.fullest, moves) ?? best;
  }
  search.apply(best ?? before);
  // Many paths can have become almost as full as the fullest. Then the pressure is not lower, and nothing is gained.
  if (best && distribution.pressure(fullestBefore) < pressureBefore) return true;
  search.apply(before);
  return false;
}

/** Lowers the fullest path by `gain` again and again, until no trial does that. @returns the last trial that did. */
function findLeastFull(search: Search, before: Trial, gain: number): Trial | undefined {
  let best: Trial | undefined;
  for (;;) {
    const next = search.findUnder((best ?? before).fullest * (1 - gain));
    if (!next) return best;
    best = next;
  }
}

/** One path for each session that is tried. */
interface Trial {
  readonly paths: readonly number[];
  /** How many of the sessions are not on the path that they had before the round. */
  readonly moves: number;
  /** The utilisation of the fullest path. */
  readonly fullest: number;
}

/** Tries the sessions on all paths, one after the other, and goes back when a path becomes too full. */
class Search {
  readonly #distribution: Distribution;
  readonly #sessions: readonly number[];
  #steps = MAX_STEPS;

  constructor(distribution: Distribution, sessions: readonly number[]) {
    this.#distribution = distribution;
    this.#sessions = sessions;
  }

  /** The present paths of the sessions. */
  current(): Trial {
    const paths = this.#sessions.map((session) => this.#distribution.pathOf(session));
    const moves = this.#sessions.filter((session, index) => this.#isMove(session, paths[index] ?? -1)).length;
    return { paths, moves, fullest: this.#distribution.fullest() };
  }

  /** Puts the sessions on the paths of a trial. */
  apply({ paths }: Pick<Trial, 'paths'>): void {
    this.#sessions.forEach((session, index) => {
      this.#distribution.move(session, paths[index] ?? -1);
    });
  }

  /** A trial in which no path is fuller than `ceiling`, with at most `moves` moves; undefined if none was found. */
  findUnder(ceiling: number, moves = Infinity): Trial | undefined {
    // All sessions leave their paths, so each that had one counts as moved. The moves that are left do not include these.
    for (const session of this.#sessions) this.#distribution.move(session, -1);
    const withOrigin = this.#sessions.filter((session) => this.#distribution.origin(session) >= 0).length;
    const movesAllowed = Math.min(moves, this.#distribution.movesLeft + withOrigin);
    const found = this.#distribution.fullest() <= ceiling && this.#place(0, ceiling, movesAllowed);
    return found ? this.current() : undefined;
  }

  /** Places the session at `index` and all after it. @returns whether this is possible. */
  #place(index: number, ceiling: number, moves: number): boolean {
    const session = this.#sessions[index];
    if (session === undefined) return true;
    // The emptiest path first, so that the first solution is a good one.
    const emptiest = this.#distribution.emptiestPath(session);
    if (emptiest < 0) return false;
    if (this.#placeOn(emptiest, session, index, ceiling, moves)) return true;
    for (let path = 0; path < this.#distribution.paths; path++) {
      if (path !== emptiest && this.#placeOn(path, session, index, ceiling, moves)) return true;
    }
    return false;
  }

  /** As {@link #place}, with the session at `index` on this path. */
  #placeOn(path: number, session: number, index: number, ceiling: number, moves: number): boolean {
    const distribution = this.#distribution;
    if (!distribution.allows(session, path)) return false;
    const movesLeft = moves - Number(this.#isMove(session, path));
    if (movesLeft < 0 || distribution.utilisationWith(session, path) > ceiling) return false;
    if (this.#steps-- <= 0) return false;
    distribution.move(session, path);
    if (this.#place(index + 1, ceiling, movesLeft)) return true;
    distribution.move(session, -1);
    return false;
  }

  #isMove(session: number, path: number): boolean {
    const origin = this.#distribution.origin(session);
    return origin >= 0 && path !== origin;
  }
}
