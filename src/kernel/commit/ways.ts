import type { FdTable } from '../walk/files.js';
import type { Trail } from './trail.js';

/** What a commit needs of a subflow. */
export interface Way {
  readonly trail: Trail;
  /** Where {@link Ways.words} has it: its own place as long as this object lives. */
  readonly at: number;
  /** The fd table that it leads through. */
  readonly table: FdTable;
}

interface Piece {
  readonly at: number;
  /** Words. */
  readonly length: number;
}

/**
 * The ways to many subflows, one behind the other in one array: where there are thousands, each array of its own would be
 * some cache misses more than the guards are.
 */
export class Ways {
  #words = new BigUint64Array(0);
  /** Words in use, or given back. */
  #end = 0;
  /** Given back, by their length: there are few. */
  readonly #free = new Map<number, number[]>();
  readonly #forgotten = new FinalizationRegistry<Piece>(({ at, length }) => {
    const others = this.#free.get(length);
    if (others) others.push(at);
    else this.#free.set(length, [at]);
  });

  /** As {@link NativeMemory.commit} takes them. */
  get words(): BigUint64Array {
    return this.#words;
  }

  /** @param target physical address of the structure that the trail leads to. */
  add(trail: Trail, target: bigint, table: FdTable): Way {
    const words = trail.words(target);
    const { length } = words;
    const at = this.#free.get(length)?.pop() ?? this.#append(length);
    this.#words.set(words, at);
    const way = { trail, at, table };
    this.#forgotten.register(way, { at, length });
    return way;
  }

  #append(length: number): number {
    const at = this.#end;
    this.#end += length;
    if (this.#end > this.#words.length) {
      const room = new BigUint64Array(Math.max(this.#end, Math.ceil(1.5 * this.#words.length)));
      room.set(this.#words);
      this.#words = room;
    }
    return at;
  }
}
