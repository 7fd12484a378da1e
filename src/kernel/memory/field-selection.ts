import { KernelError } from '../../model/kernel-error.js';
import type { BitField, Field } from '../layout/layout.js';

const WORD = 8;
const HALF_BITS = 32;

/** Where a row has a member: bytes from the start of the row. */
export type Slot = number;

/** Where a row has a bit field, or a member of at most four bytes. */
export interface BitSlot {
  /** Where the four bytes that contain the field start. */
  readonly slot: Slot;
  /** By how many bits the field is shifted to the left in these four bytes. */
  readonly shift: number;
  /** Applied after the shift. */
  readonly mask: number;
}

interface Word {
  /** Bytes from the address of the structure. */
  readonly offset: number;
  /** The bits that belong to a selected member. */
  mask: bigint;
}

/**
 * The members of one structure that a {@link FieldTable} reads. A row has the address of the structure, and then each
 * 8-byte word that contains a selected member. Bits of these words that belong to no selected member are zero.
 */
export class FieldSelection {
  readonly #words: Word[] = [];
  #wordMasks: BigUint64Array | undefined;

  /** @param base added to the offset of each member, bytes. For a structure at a fixed distance from the address. */
  constructor(private readonly base = 0) {}

  /**
   * Selects a whole member.
   * @throws {KernelError} if the member has 8 bytes and crosses a word boundary.
   */
  add({ offset, size }: Field): Slot {
    const start = this.base + offset;
    const within = start & (WORD - 1);
    if (size === WORD && within !== 0) throw crossesWords(`a member at ${offset}`);
    const count = Math.ceil((within + size) / WORD);
    const first = this.#addWords(start - within, count);
    for (let byte = within; byte < within + size; byte++) {
      const word = this.#words[first + Math.floor(byte / WORD)] as Word;
      word.mask |= 0xffn << BigInt((byte % WORD) * 8);
    }
    return (1 + first) * WORD + within;
  }

  /**
   * Selects a bit field, or a member of at most four bytes.
   * @throws {KernelError} if the field crosses a boundary of four bytes.
   */
  addBits({ name, bitOffset, bitSize }: BitField): BitSlot {
    const start = this.base * 8 + bitOffset;
    const shift = start & (HALF_BITS - 1);
    if (shift + bitSize > HALF_BITS) throw crossesWords(name);
    const within = start & (WORD * 8 - 1);
    const index = this.#addWords((start - within) / 8, 1);
    const word = this.#words[index] as Word;
    word.mask |= ((1n << BigInt(bitSize)) - 1n) << BigInt(within);
    const mask = bitSize === HALF_BITS ? -1 : (1 << bitSize) - 1;
    return { slot: (1 + index) * WORD + (within - shift) / 8, shift, mask };
  }

  /** The number of words in one row. */
  get rowWords(): number {
    return 1 + this.#words.length;
  }

  /** Pairs of [offset, mask], as `gather` of the addon takes them. */
  get wordMasks(): BigUint64Array {
    return (this.#wordMasks ??= BigUint64Array.from(
      this.#words.flatMap(({ offset, mask }) => [BigInt(offset), mask]),
    ));
  }

  /** Returns the index of the first of `count` consecutive words. Members that lie in one word share it. */
  #addWords(offset: number, count: number): number {
    this.#wordMasks = undefined;
    const existing = count === 1 ? this.#words.findIndex((word) => word.offset === offset) : -1;
    if (existing >= 0) return existing;
    for (let word = 0; word < count; word++) this.#words.push({ offset: offset + word * WORD, mask: 0n });
    return this.#words.length - count;
  }
}

function crossesWords(name: string): KernelError {
  return new KernelError('layout', `${name} crosses a word boundary, which no member of the kernel's does`);
}
