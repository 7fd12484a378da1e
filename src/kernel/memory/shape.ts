import { KernelError } from '../../model/kernel-error.js';
import type { BitField, Field } from '../layout/layout.js';

const WORD = 8;
const HALF_BITS = 32;

/** Where a row holds a member, bytes from the row's start. */
export type Slot = number;

/** Where a row holds a bit field, or a member of up to four bytes. */
export interface BitSlot {
  /** Of the four bytes that it lies in. */
  readonly slot: Slot;
  readonly shift: number;
  /** Once shifted. */
  readonly mask: number;
}

interface Word {
  /** From the address that is read at, bytes. */
  readonly offset: number;
  /** The bits that count. */
  mask: bigint;
}

/**
 * Members of one structure that are read together. A row of them is the structure's address, and then the words of 8 bytes
 * that they lie in, of which the members' bits count and all others are zeros.
 */
export class Shape {
  readonly #words: Word[] = [];
  #pairs: BigUint64Array | undefined;

  /** @param base what offsets are from, bytes from the address that is read at. */
  constructor(private readonly base = 0) {}

  /**
   * A whole member.
   * @throws {KernelError} if it is of 8 bytes and lies across words.
   */
  add({ offset, size }: Field): Slot {
    const start = this.base + offset;
    const within = start & (WORD - 1);
    if (size === WORD && within !== 0) throw acrossWords(`a member at ${offset}`);
    const count = Math.ceil((within + size) / WORD);
    const first = this.#wordsAt(start - within, count);
    for (let byte = within; byte < within + size; byte++) {
      const word = this.#words[first + Math.floor(byte / WORD)] as Word;
      word.mask |= 0xffn << BigInt((byte % WORD) * 8);
    }
    return (1 + first) * WORD + within;
  }

  /**
   * A bit field, or a member of at most four bytes. Of bytes that nobody added whole, the bits that were added are read.
   * @throws {KernelError} if it lies across four bytes.
   */
  addBits({ name, bitOffset, bitSize }: BitField): BitSlot {
    const start = this.base * 8 + bitOffset;
    const shift = start & (HALF_BITS - 1);
    if (shift + bitSize > HALF_BITS) throw acrossWords(name);
    const within = start & (WORD * 8 - 1);
    const index = this.#wordsAt((start - within) / 8, 1);
    const word = this.#words[index] as Word;
    word.mask |= ((1n << BigInt(bitSize)) - 1n) << BigInt(within);
    const mask = bitSize === HALF_BITS ? -1 : (1 << bitSize) - 1;
    return { slot: (1 + index) * WORD + (within - shift) / 8, shift, mask };
  }

  /** Words of a row. */
  get words(): number {
    return 1 + this.#words.length;
  }

  /** Pairs of [offset, mask], as the addon wants them. */
  get pairs(): BigUint64Array {
    return (this.#pairs ??= BigUint64Array.from(
      this.#words.flatMap(({ offset, mask }) => [BigInt(offset), mask]),
    ));
  }

  /** Which of the words are these. One alone is shared by all members in it; several lie one after the other. */
  #wordsAt(offset: number, count: number): number {
    this.#pairs = undefined;
    const known = count === 1 ? this.#words.findIndex((word) => word.offset === offset) : -1;
    if (known >= 0) return known;
    for (let word = 0; word < count; word++) this.#words.push({ offset: offset + word * WORD, mask: 0n });
    return this.#words.length - count;
  }
}

function acrossWords(name: string): KernelError {
  return new KernelError('layout', `${name} lies across words, where no member of the kernel's does`);
}
