import { isRoot, userName } from '../common/users.js';

/** How many clients a console serves at once. */
export interface PlaceLimits {
  readonly all: number;
  /** Of these, places that only root, and the daemon's own user, can take. */
  readonly forRoot: number;
  /** That any other user can have. */
  readonly perUser: number;
}

export const PLACE_LIMITS: PlaceLimits = { all: 64, forRoot: 16, perUser: 24 };

/** The places at a console, by user: no user can keep the others out, and nobody can keep root out but root. */
export class Occupancy {
  readonly #users = new Map<number | undefined, number>();
  #all = 0;
  #others = 0;

  constructor(private readonly limits: PlaceLimits = PLACE_LIMITS) {}

  /**
   * Takes a place.
   * @param uid undefined: of nobody knows whom.
   * @returns why there is none.
   */
  take(uid: number | undefined): string | undefined {
    const { all, forRoot, perUser } = this.limits;
    if (this.#all >= all) return `${all} clients are connected already`;
    const own = this.#users.get(uid) ?? 0;
    if (!isRoot(uid)) {
      if (own >= perUser)
        return `user ${userName(uid)} has ${perUser} clients connected already, as many as one user may have`;
      if (this.#others >= all - forRoot)
        return `${all - forRoot} clients are connected already, and ${forRoot} more places are kept for root`;
      this.#others += 1;
    }
    this.#all += 1;
    this.#users.set(uid, own + 1);
    return undefined;
  }

  /** Gives one back. */
  leave(uid: number | undefined): void {
    this.#all -= 1;
    if (!isRoot(uid)) this.#others -= 1;
    const own = (this.#users.get(uid) ?? 0) - 1;
    if (own > 0) this.#users.set(uid, own);
    else this.#users.delete(uid);
  }
}
