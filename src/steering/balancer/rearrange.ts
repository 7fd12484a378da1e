import type { Crowd } from './crowd.js';

/** As many sessions are tried on all paths together; where there are more, the others are small beside these. */
const MOST_SESSIONS = 16;

/** How often a session is put on a path in all: bounds the time, to some milliseconds. */
const MOST_STEPS = 100_000;

/**
 * Finds what no single move does: another placement of the largest sessions, several at once, that leaves the fullest
 * path less full by `gain` at least; of those, the one that takes the fewest moves.
 * @param movable the sessions that may be moved, the largest first.
 * @param calm the utilisation up to which a path is left alone.
 * @returns whether sessions were moved.
 */
export function rearrange(crowd: Crowd, movable: readonly number[], calm: number): boolean {
  const unit = crowd.fullest();
  if (unit <= calm) return false;
  const pressure = crowd.pressure(unit);
  const search = new Search(crowd, movable.slice(0, MOST_SESSIONS));
  const before = search.placement();
  let best: Placement | undefined;
  for (let next: Placement | undefined = before; next; best = next ?? best) {
    next = search.under(next.fullest * (1 - crowd.gain));
  }
  for (let moves = 0; best && moves < best.moves; moves++) best = search.under(best.fullest, moves) ?? best;
  search.put(best ?? before);
  // Of many paths all could have come near the fullest: no progress by the measure that every step must lower.
  if (best && crowd.pressure(unit) < pressure) return true;
  search.put(before);
  return false;
}

/** A path for each of the sessions that are tried. */
interface Placement {
  readonly paths: readonly number[];
  /** How many of the sessions have left the path that they had at first. */
  readonly moves: number;
  /** The utilisation of the fullest path. */
  readonly fullest: number;
}

/** Tries the sessions on all paths, one after the other, and turns back where a path becomes too full. */
class Search {
  readonly #crowd: Crowd;
  readonly #sessions: readonly number[];
  #steps = MOST_STEPS;

  constructor(crowd: Crowd, sessions: readonly number[]) {
    this.#crowd = crowd;
    this.#sessions = sessions;
  }

  placement(): Placement {
    const paths = this.#sessions.map((session) => this.#crowd.at(session));
    const moves = this.#sessions.filter((session, index) => this.#isMove(session, paths[index] ?? -1)).length;
    return { paths, moves, fullest: this.#crowd.fullest() };
  }

  put({ paths }: Pick<Placement, 'paths'>): void {
    this.#sessions.forEach((session, index) => {
      this.#crowd.put(session, paths[index] ?? -1);
    });
  }

  /** A placement with no path fuller than `ceiling` and at most so many moves; undefined where none was found. */
  under(ceiling: number, moves = Infinity): Placement | undefined {
    for (const session of this.#sessions) this.#crowd.put(session, -1);
    const homes = this.#sessions.filter((session) => this.#crowd.origin(session) >= 0).length;
    const most = Math.min(moves, this.#crowd.movesLeft + homes);
    const found = this.#crowd.fullest() <= ceiling && this.#place(0, ceiling, most);
    return found ? this.placement() : undefined;
  }

  #place(index: number, ceiling: number, moves: number): boolean {
    const session = this.#sessions[index];
    if (session === undefined) return true;
    const crowd = this.#crowd;
    // The emptiest first: so the first placement that is found is a good one.
    const first = crowd.emptiest(session);
    for (let next = -1; next < crowd.paths; next++) {
      const path = next < 0 ? first : next;
      if (path < 0 || next === first || !crowd.allows(session, path)) continue;
      const left = moves - Number(this.#isMove(session, path));
      if (left < 0 || crowd.utilisationWith(session, path) > ceiling) continue;
      if (this.#steps-- <= 0) return false;
      crowd.put(session, path);
      if (this.#place(index + 1, ceiling, left)) return true;
      crowd.put(session, -1);
    }
    return false;
  }

  #isMove(session: number, path: number): boolean {
    const origin = this.#crowd.origin(session);
    return origin >= 0 && path !== origin;
  }
}
