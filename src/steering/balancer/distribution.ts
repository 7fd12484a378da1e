/** Numbers for both directions, by index. `down` is what the client receives. */
export interface Directions {
  readonly down: Float64Array;
  readonly up: Float64Array;
}

/** The input of a {@link Distribution}. Sessions and paths are indices. */
export interface DistributionInput {
  /** By session, bit/s. */
  readonly rate: Directions;
  /** By path, bit/s; 0: the path carries nothing. */
  readonly capacity: Directions;
  /** By path, the load that no move changes, bit/s. */
  readonly fixed: Directions;
  /** By session, then by path: how much each bit counts there; 0: the session may not use the path. */
  readonly cost: Float64Array;
  /** By session: its path before the round; -1: none. */
  readonly origin: Int32Array;
  /** How many of the sessions that have a path may leave it. */
  readonly moves: number;
  /** The fraction by which a session's new path must stay less full than its old path was: 0 to below 1. */
  readonly gain: number;
}

/**
 * The pressure of a path is its utilisation to a power; this is log2 of that power. Each move lowers the sum of all
 * pressures, so moves never lead back to an earlier distribution. The power is high so that the fullest path decides
 * (max-min fairness): of the 16 directions of 8 paths, one that is 2.2 % fuller weighs more than all others together.
 */
const POWER_LOG2 = 7;
const POWER = 2 ** POWER_LOG2;

function pressure(utilisation: number): number {
  let power = utilisation;
  for (let i = 0; i < POWER_LOG2; i++) power *= power;
  return power;
}

/**
 * The distribution of sessions over paths, and the utilisation of each path: its load divided by its capacity, in the
 * direction where that is higher; 1 is full. All numbers are in arrays, because a round compares some hundred thousand
 * moves.
 */
export class Distribution {
  readonly sessions: number;
  readonly paths: number;
  readonly gain: number;
  readonly #moves: number;
  readonly #origin: Int32Array;
  readonly #pathOf: Int32Array;
  readonly #costs: Float64Array;
  readonly #rateDown: Float64Array;
  readonly #rateUp: Float64Array;
  /** By path: how much one bit/s adds to the utilisation. */
  readonly #unitDown: Float64Array;
  readonly #unitUp: Float64Array;
  /** By path: the utilisation. */
  readonly #fullDown: Float64Array;
  readonly #fullUp: Float64Array;
  /** A move is worth it if the rise of the new path's pressure is below this factor times the fall of the old path's. */
  readonly #worth: number;
  #moved = 0;
  readonly #view: PressureView;

  constructor(input: DistributionInput) {
    const { rate, capacity, fixed, cost, origin, moves, gain } = input;
    this.gain = gain;
    this.paths = capacity.down.length;
    this.sessions = origin.length;
    this.#moves = moves;
    this.#origin = origin;
    this.#pathOf = origin.slice();
    this.#costs = cost;
    this.#rateDown = rate.down;
    this.#rateUp = rate.up;
    this.#unitDown = capacity.down.map(inverse);
    this.#unitUp = capacity.up.map(inverse);
    this.#fullDown = fixed.down.map((load, path) => load * inverse(capacity.down[path]));
    this.#fullUp = fixed.up.map((load, path) => load * inverse(capacity.up[path]));
    this.#worth = (1 - gain) ** POWER;
    this.#view = new PressureView(this.#fullDown, this.#fullUp, this.#unitDown, this.#unitUp);
    for (let session = 0; session < this.sessions; session++) this.#load(session, this.pathOf(session), 1);
  }

  /** The path of a session; -1: none. */
  pathOf(session: number): number {
    return this.#pathOf[session] ?? -1;
  }

  /** The path of a session before the round; -1: none. */
  origin(session: number): number {
    return this.#origin[session] ?? -1;
  }

  /** How many more sessions may leave their path of before the round. */
  get movesLeft(): number {
    return this.#moves - this.#moved;
  }

  /**
   * Whether a session may move. One that had no path before the round, or has left it already, is not counted again.
   */
  canMove(session: number): boolean {
    return this.movesLeft > 0 || this.origin(session) < 0 || this.origin(session) !== this.pathOf(session);
  }

  /** Whether a session may use a path. */
  allows(session: number, path: number): boolean {
    return this.#cost(session, path) > 0;
  }

  /** 1 is full. */
  utilisation(path: number): number {
    return Math.max(this.#fullDown[path] ?? 0, this.#fullUp[path] ?? 0);
  }

  /** The utilisation of a path with a session that is now on another path. */
  utilisationWith(session: number, path: number): number {
    return Math.max(
      (this.#fullDown[path] ?? 0) + this.#shareDown(session, path),
      (this.#fullUp[path] ?? 0) + this.#shareUp(session, path),
    );
  }

  /** All paths, the fullest first. */
  fullestFirst(): number[] {
    return Array.from({ length: this.paths }, (_, path) => path).sort(
      (a, b) => this.utilisation(b) - this.utilisation(a),
    );
  }

  /** The utilisation of the fullest path; 0 without paths. */
  fullest(): number {
    let fullest = 0;
    for (let path = 0; path < this.paths; path++) fullest = Math.max(fullest, this.utilisation(path));
    return fullest;
  }

  /** The sum of all paths' pressures, with `unit` as the utilisation whose pressure is 1. */
  pressure(unit: number): number {
    let sum = 0;
    for (let path = 0; path < this.paths; path++) {
      sum += pressure((this.#fullDown[path] ?? 0) / unit) + pressure((this.#fullUp[path] ?? 0) / unit);
    }
    return sum;
  }

  /** The path whose pressure a session raises least, if a move there is worth it; otherwise -1. */
  betterPath(session: number): number {
    const from = this.pathOf(session);
    const view = this.#view;
    view.viewFrom(from);
    const { priceDown, priceUp } = view;
    const costs = this.#costs;
    const row = session * this.paths;
    const down = this.#rateDown[session] ?? 0;
    const up = this.#rateUp[session] ?? 0;
    // Cheap test first: prices overestimate how much the old path is relieved, and underestimate the burden on the new
    // one. So what they rule out, the exact comparison would rule out too.
    const most =
      (costs[row + from] ?? 0) * (down * (priceDown[from] ?? 0) + up * (priceUp[from] ?? 0)) * this.#worth;
    let least = -1;
    let best = -1;
    for (let path = 0; path < priceDown.length; path++) {
      const cost = costs[row + path] ?? 0;
      if (cost === 0 || path === from) continue;
      if (cost * (down * (priceDown[path] ?? 0) + up * (priceUp[path] ?? 0)) > most) continue;
      if (least < 0) least = this.#worth * -this.#change(session, from, -1);
      const burden = this.#change(session, path, 1);
      // Paths that are far emptier have almost no pressure. Of those, take the emptiest.
      const emptier = best >= 0 && this.utilisationWith(session, path) < this.utilisationWith(session, best);
      if (burden < least || (burden === least && emptier)) {
        least = burden;
        best = path;
      }
    }
    return best;
  }

  /** The path that stays emptiest with a session which has no path; -1: it may use none. */
  emptiestPath(session: number): number {
    let best = -1;
    for (let path = 0; path < this.paths; path++) {
      if (!this.allows(session, path)) continue;
      if (best < 0 || this.utilisationWith(session, path) < this.utilisationWith(session, best)) best = path;
    }
    return best;
  }

  /** Puts a session on a path; -1: on none. */
  move(session: number, path: number): void {
    const from = this.pathOf(session);
    const origin = this.origin(session);
    this.#load(session, from, -1);
    this.#load(session, path, 1);
    this.#pathOf[session] = path;
    this.#view.invalidate();
    if (origin >= 0) this.#moved += Number(path !== origin) - Number(from !== origin);
  }

  #load(session: number, path: number, times: number): void {
    if (path < 0) return;
    this.#fullDown[path] = (this.#fullDown[path] ?? 0) + times * this.#shareDown(session, path);
    this.#fullUp[path] = (this.#fullUp[path] ?? 0) + times * this.#shareUp(session, path);
  }

  #cost(session: number, path: number): number {
    return this.#costs[session * this.paths + path] ?? 0;
  }

  /** How the pressure of a path changes when the session comes (`times` 1) or leaves (`times` -1). */
  #change(session: number, path: number, times: number): number {
    return this.#view.change(
      path,
      times * this.#shareDown(session, path),
      times * this.#shareUp(session, path),
    );
  }

  #shareDown(session: number, path: number): number {
    return (this.#rateDown[session] ?? 0) * this.#cost(session, path) * (this.#unitDown[path] ?? 0);
  }

  #shareUp(session: number, path: number): number {
    return (this.#rateUp[session] ?? 0) * this.#cost(session, path) * (this.#unitUp[path] ?? 0);
  }
}

function inverse(capacity: number | undefined): number {
  return capacity ? 1 / capacity : 0;
}

/** The pressures of all paths, with the utilisation of one path as the unit. Valid until a session moves. */
class PressureView {
  /**
   * By path: the price of load, which is the slope of the pressure per bit/s. The pressure is convex: more load costs
   * at least this price, and less load saves at most this price.
   */
  readonly priceDown: Float64Array;
  readonly priceUp: Float64Array;
  readonly #down: DirectionView;
  readonly #up: DirectionView;
  #of = -1;

  constructor(fullDown: Float64Array, fullUp: Float64Array, unitDown: Float64Array, unitUp: Float64Array) {
    this.#down = new DirectionView(fullDown, unitDown);
    this.#up = new DirectionView(fullUp, unitUp);
    this.priceDown = this.#down.price;
    this.priceUp = this.#up.price;
  }

  invalidate(): void {
    this.#of = -1;
  }

  /** Makes the utilisation of this path the unit. */
  viewFrom(path: number): void {
    if (path === this.#of) return;
    this.#of = path;
    const unit = Math.max(this.#down.full[path] ?? 0, this.#up.full[path] ?? 0);
    this.#down.update(unit);
    this.#up.update(unit);
  }

  /** How a path's pressure changes when its utilisation does. */
  change(path: number, down: number, up: number): number {
    return this.#down.change(path, down) + this.#up.change(path, up);
  }
}

/** One direction of a {@link PressureView}, by path. */
class DirectionView {
  /** The utilisation. */
  readonly full: Float64Array;
  readonly price: Float64Array;
  /** How much one bit/s adds to the utilisation. */
  readonly #each: Float64Array;
  readonly #pressure: Float64Array;
  #unit = 1;

  constructor(full: Float64Array, each: Float64Array) {
    this.full = full;
    this.price = new Float64Array(full.length);
    this.#each = each;
    this.#pressure = new Float64Array(full.length);
  }

  update(unit: number): void {
    this.#unit = unit;
    for (let path = 0; path < this.full.length; path++) {
      const full = this.full[path] ?? 0;
      const now = pressure(full / unit);
      this.#pressure[path] = now;
      this.price[path] = full > 0 ? ((POWER * now) / full) * (this.#each[path] ?? 0) : 0;
    }
  }

  change(path: number, more: number): number {
    return pressure(((this.full[path] ?? 0) + more) / this.#unit) - (this.#pressure[path] ?? 0);
  }
}
