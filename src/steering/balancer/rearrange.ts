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
  const unit = distribution.fullest();
  if (unit <= negligible) return false;
  const pressure = distribution.pressure(unit);
  const search = new Search(distribution, movable.slice(0, MAX_SESSIONS));
  const before = search.current();
  let best: Trial | undefined;
  for (let next: Trial | undefined = before; next; best = next ?? best) {
    next = search.findUnder(next.fullest * (1 - distribution.gain));
  }
  for (let moves = 0; best && moves < best.moves; moves++)
    best = search.findUnder(best.fullest, moves) ?? best;
  search.apply(best ?? before);
  // Many paths can have become almost as full as the fullest. Then the pressure is not lower, and this is no progress.
  if (best && distribution.pressure(unit) < pressure) return true;
  search.apply(before);
  return false;
}

/** One path for each session that is tried. */
interface Trial {
  readonly paths: readonly number[];
  /** How many of the sessions have left their path of before the round. */
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

  current(): Trial {
    const paths = this.#sessions.map((session) => this.#distribution.pathOf(session));
    const moves = this.#sessions.filter((session, index) => this.#isMove(session, paths[index] ?? -1)).length;
    return { paths, moves, fullest: this.#distribution.fullest() };
  }

  apply({ paths }: Pick<Trial, 'paths'>): void {
    this.#sessions.forEach((session, index) => {
      this.#distribution.move(session, paths[index] ?? -1);
    });
  }

  /** A trial in which no path is fuller than `ceiling`, with at most `moves` moves; undefined if none was found. */
  findUnder(ceiling: number, moves = Infinity): Trial | undefined {
    for (const session of this.#sessions) this.#distribution.move(session, -1);
    const unmoved = this.#sessions.filter((session) => this.#distribution.origin(session) >= 0).length;
    const most = Math.min(moves, this.#distribution.movesLeft + unmoved);
    const found = this.#distribution.fullest() <= ceiling && this.#place(0, ceiling, most);
    return found ? this.current() : undefined;
  }

  #place(index: number, ceiling: number, moves: number): boolean {
    const session = this.#sessions[index];
    if (session === undefined) return true;
    const distribution = this.#distribution;
    // The emptiest path first, so that the first solution is a good one.
    const first = distribution.emptiestPath(session);
    for (let next = -1; next < distribution.paths; next++) {
      const path = next < 0 ? first : next;
      if (path < 0 || next === first || !distribution.allows(session, path)) continue;
      const left = moves - Number(this.#isMove(session, path));
      if (left < 0 || distribution.utilisationWith(session, path) > ceiling) continue;
      if (this.#steps-- <= 0) return false;
      distribution.move(session, path);
      if (this.#place(index + 1, ceiling, left)) return true;
      distribution.move(session, -1);
    }
    return false;
  }

  #isMove(session: number, path: number): boolean {
    const origin = this.#distribution.origin(session);
    return origin >= 0 && path !== origin;
  }
}
