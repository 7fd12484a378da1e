/** One number for each way. */
export interface Ways {
  readonly down: Float64Array;
  readonly up: Float64Array;
}

/** What a {@link Crowd} is made of; sessions and paths are indices. */
export interface CrowdInput {
  /** By session, bit/s. */
  readonly rate: Ways;
  /** By path, bit/s; 0: closed. */
  readonly capacity: Ways;
  /** By path, bit/s that no move changes. */
  readonly fixed: Ways;
  /** By session, then by path: what a bit counts for there; 0: the session may not be there. */
  readonly cost: Float64Array;
  /** By session: the path that it is on; -1: none. */
  readonly origin: Int32Array;
  /** How many sessions of those that have a path may leave it. */
  readonly moves: number;
  /** By which part the path that a session goes to must stay less full than the one it leaves was: 0 to below 1. */
  readonly gain: number;
}

/**
 * log2 of the power that makes a utilisation a pressure. The sum of all pressures is what every step lowers, so steps
 * never lead back to where they began. The power is this high so that the fullest path decides, as max-min asks: of the
 * 16 directions of 8 paths, one that is 2.2 % fuller weighs more than all others together.
 */
const POWER_LOG2 = 7;
const POWER = 2 ** POWER_LOG2;

function pressure(utilisation: number): number {
  let power = utilisation;
  for (let i = 0; i < POWER_LOG2; i++) power *= power;
  return power;
}

/**
 * Who is on which path, and how full that makes each: its utilisation is load / capacity in the direction where that is
 * more, 1 is full. The balancer's own arithmetic, in arrays, since it weighs some hundred thousand moves in a round.
 */
export class Crowd {
  readonly sessions: number;
  readonly paths: number;
  readonly gain: number;
  readonly #moves: number;
  readonly #origin: Int32Array;
  readonly #at: Int32Array;
  readonly #costs: Float64Array;
  readonly #rateDown: Float64Array;
  readonly #rateUp: Float64Array;
  /** By path: what one bit/s adds to the utilisation. */
  readonly #unitDown: Float64Array;
  readonly #unitUp: Float64Array;
  /** By path: the utilisation. */
  readonly #fullDown: Float64Array;
  readonly #fullUp: Float64Array;
  /** How much more the path that is left must be relieved than the other is burdened. */
  readonly #worth: number;
  #left = 0;
  readonly #view: View;

  constructor(input: CrowdInput) {
    const { rate, capacity, fixed, cost, origin, moves, gain } = input;
    this.gain = gain;
    this.paths = capacity.down.length;
    this.sessions = origin.length;
    this.#moves = moves;
    this.#origin = origin;
    this.#at = origin.slice();
    this.#costs = cost;
    this.#rateDown = rate.down;
    this.#rateUp = rate.up;
    this.#unitDown = capacity.down.map(inverse);
    this.#unitUp = capacity.up.map(inverse);
    this.#fullDown = fixed.down.map((load, path) => load * inverse(capacity.down[path]));
    this.#fullUp = fixed.up.map((load, path) => load * inverse(capacity.up[path]));
    this.#worth = (1 - gain) ** POWER;
    this.#view = new View(this.#fullDown, this.#fullUp, this.#unitDown, this.#unitUp);
    for (let session = 0; session < this.sessions; session++) this.#load(session, this.at(session), 1);
  }

  /** The path of a session; -1: none. */
  at(session: number): number {
    return this.#at[session] ?? -1;
  }

  /** Where the session was at first. */
  origin(session: number): number {
    return this.#origin[session] ?? -1;
  }

  /** How many more sessions may leave the path that they had at first. */
  get movesLeft(): number {
    return this.#moves - this.#left;
  }

  /** Whether a session may be put elsewhere: what had no path at first, or has left it already, costs no further move. */
  affords(session: number): boolean {
    return this.movesLeft > 0 || this.origin(session) < 0 || this.origin(session) !== this.at(session);
  }

  allows(session: number, path: number): boolean {
    return this.#cost(session, path) > 0;
  }

  utilisation(path: number): number {
    return Math.max(this.#fullDown[path] ?? 0, this.#fullUp[path] ?? 0);
  }

  /** The utilisation of a path if a session came to it that is elsewhere. */
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

  /** The path that a session burdens least, if that is worth it for what its own path is relieved by; else -1. */
  better(session: number): number {
    const from = this.at(session);
    const view = this.#view;
    view.lookFrom(from);
    const { priceDown, priceUp } = view;
    const costs = this.#costs;
    const row = session * this.paths;
    const down = this.#rateDown[session] ?? 0;
    const up = this.#rateUp[session] ?? 0;
    // By the price the relief is never less than it is, nor a burden more: mostly it is enough to say no.
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
      // Far emptier paths have no pressure to speak of: of those, the emptiest.
      const emptier = best >= 0 && this.utilisationWith(session, path) < this.utilisationWith(session, best);
      if (burden < least || (burden === least && emptier)) {
        least = burden;
        best = path;
      }
    }
    return best;
  }

  /** The path that a session without one fills least; -1: it may be nowhere. */
  emptiest(session: number): number {
    let best = -1;
    for (let path = 0; path < this.paths; path++) {
      if (!this.allows(session, path)) continue;
      if (best < 0 || this.utilisationWith(session, path) < this.utilisationWith(session, best)) best = path;
    }
    return best;
  }

  put(session: number, path: number): void {
    const from = this.at(session);
    const origin = this.origin(session);
    this.#load(session, from, -1);
    this.#load(session, path, 1);
    this.#at[session] = path;
    this.#view.forget();
    if (origin >= 0) this.#left += Number(path !== origin) - Number(from !== origin);
  }

  #load(session: number, path: number, times: number): void {
    if (path < 0) return;
    this.#fullDown[path] = (this.#fullDown[path] ?? 0) + times * this.#shareDown(session, path);
    this.#fullUp[path] = (this.#fullUp[path] ?? 0) + times * this.#shareUp(session, path);
  }

  #cost(session: number, path: number): number {
    return this.#costs[session * this.paths + path] ?? 0;
  }

  /** How the pressure of a path changes when the session comes (1) or goes (-1). */
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

/** The pressures as seen from one path, whose utilisation is the unit; kept until a session is put elsewhere. */
class View {
  /** By path: what the pressure rises by for one more bit/s, where that is little: never more than it does. */
  readonly priceDown: Float64Array;
  readonly priceUp: Float64Array;
  readonly #down: Way;
  readonly #up: Way;
  #of = -1;

  constructor(fullDown: Float64Array, fullUp: Float64Array, unitDown: Float64Array, unitUp: Float64Array) {
    this.#down = new Way(fullDown, unitDown);
    this.#up = new Way(fullUp, unitUp);
    this.priceDown = this.#down.price;
    this.priceUp = this.#up.price;
  }

  forget(): void {
    this.#of = -1;
  }

  lookFrom(path: number): void {
    if (path === this.#of) return;
    this.#of = path;
    const unit = Math.max(this.#down.full[path] ?? 0, this.#up.full[path] ?? 0);
    this.#down.look(unit);
    this.#up.look(unit);
  }

  /** How a path's pressure changes when its utilisation does. */
  change(path: number, down: number, up: number): number {
    return this.#down.change(path, down) + this.#up.change(path, up);
  }
}

/** One direction of a {@link View}, by path. */
class Way {
  readonly full: Float64Array;
  readonly price: Float64Array;
  readonly #each: Float64Array;
  readonly #pressure: Float64Array;
  #unit = 1;

  constructor(full: Float64Array, each: Float64Array) {
    this.full = full;
    this.price = new Float64Array(full.length);
    this.#each = each;
    this.#pressure = new Float64Array(full.length);
  }

  look(unit: number): void {
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
