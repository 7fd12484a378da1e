import { isRoot, userName } from '../common/users.js';

/** How many clients a console serves at once. */
export interface SlotLimits {
  readonly all: number;
  /** Slots out of `all` that only root and the daemon's own user can take. */
  readonly forRoot: number;
  /** Slots that any other user can take. */
  readonly perUser: number;
}

/** The limits in use, except in tests. */
export const SLOT_LIMITS: SlotLimits = { all: 64, forRoot: 16, perUser: 24 };

/** Counts the clients of a console by user. No user can take all slots, and some are kept for root. */
export class ClientSlots {
  readonly #users = new Map<number | undefined, number>();
  #all = 0;
  #others = 0;

  constructor(private readonly limits: SlotLimits = SLOT_LIMITS) {}

  /**
   * Takes a slot.
   * @param uid undefined: unknown. All unknown users together count as one.
   * @returns why there is no slot; undefined if one was taken.
   */
  take(uid: number | undefined): string | undefined {
    const { all, forRoot, perUser } = this.limits;
    if (this.#all >= all) return `${all} clients are connected already`;
    const own = this.#users.get(uid) ?? 0;
    if (!isRoot(uid)) {
      if (own >= perUser)
        return `user ${userName(uid)} has ${perUser} clients connected already, the most that one user may have`;
      if (this.#others >= all - forRoot)
        return `${all - forRoot} clients are connected already, and the other ${forRoot} connections are reserved for root`;
      this.#others += 1;
    }
    this.#all += 1;
    this.#users.set(uid, own + 1);
    return undefined;
  }

  /** Frees a slot that was taken. */
  free(uid: number | undefined): void {
    this.#all -= 1;
    if (!isRoot(uid)) this.#others -= 1;
    const own = (this.#users.get(uid) ?? 0) - 1;
    if (own > 0) this.#users.set(uid, own);
    else this.#users.delete(uid);
  }
}
