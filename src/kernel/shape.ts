import { KernelError } from './kernel_error.js';
import { bytesOf, type BitField, type Field } from './layout.js';

const WORD = 8;
const ALL = -1;

/** Which word of a row holds a member, or the first of its words. */
export type Slot = number;

/** Where a row holds a bit field, or a member of up to four bytes. */
export interface BitSlot {
  readonly slot: Slot;
  readonly shift: number;
  /** Once shifted. */
  readonly mask: number;
}

interface Member {
  readonly offset: number;
  readonly size: number;
  /** The bits that count, of a member of at most four bytes. */
  mask: number;
  readonly slot: Slot;
}

/**
 * Members of one structure that are read together. A row of them is the structure's address, and then each member, in the
 * order they were added, at a word of 8 bytes of its own, or several, filled up with zeros.
 */
export class Shape {
  readonly #members: Member[] = [];
  /** Of a row. */
  #words = 1;
  #triples: Int32Array | undefined;

  /** @param base what offsets are from, bytes from the address that is read at. */
  constructor(private readonly base = 0) {}

  /** A whole member. */
  add({ offset, size }: Field): Slot {
    return this.#add(offset, size, ALL);
  }

  /**
   * A bit field, or a member of at most four bytes. Of bytes that nobody added whole, the bits that were added are read.
   * @throws {KernelError} if it spans more than four bytes.
   */
  addBits(bit: BitField): BitSlot {
    const { offset, size } = bytesOf(bit);
    if (size > 4) throw new KernelError('layout', `${bit.name} spans ${size} bytes, where 4 are the most`);
    const shift = bit.bitOffset - offset * 8;
    const mask = bit.bitSize === 32 ? ALL : (1 << bit.bitSize) - 1;
    return { slot: this.#add(offset, size, mask << shift), shift, mask };
  }

  /** Words of a row. */
  get words(): number {
    return this.#words;
  }

  /** Triples of [offset, length, mask], as the addon wants them. */
  get triples(): Int32Array {
    return (this.#triples ??= Int32Array.from(
      this.#members.flatMap(({ offset, size, mask }) => [this.base + offset, size, mask]),
    ));
  }

  #add(offset: number, size: number, mask: number): Slot {
    this.#triples = undefined;
    const known = this.#members.find((member) => member.offset === offset && member.size === size);
    if (known) {
      known.mask |= mask;
      return known.slot;
    }
    const slot = this.#words;
    this.#members.push({ offset, size, mask, slot });
    this.#words += Math.ceil(size / WORD);
    return slot;
  }
}
