import type { Step } from '../../model/kernel-error.js';
import { bytesOf, type BitField } from '../layout/layout.js';

/** One (address, expected value) pair that was read on the way to a field. */
interface Guard {
  readonly step: Step;
  /** What an admin would call it, for the message when it no longer holds. */
  readonly what: string;
}

const WORD = 8n;

/**
 * The guards of one field, in the order they were met, as the guarded commit wants them: aligned words of physical
 * memory with the bits that count.
 */
export class Trail {
  readonly #words: bigint[] = [];
  readonly #guards: Guard[] = [];

  /** @param physical translates a kernel virtual address; undefined if nothing is there. */
  constructor(private readonly physical: (address: bigint) => bigint | undefined) {}

  /** Expects these bytes at a virtual address. Returns false if the address leads nowhere. */
  expectBytes(step: Step, what: string, address: bigint, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      const at = address + BigInt(done);
      const within = Number(at % WORD);
      const piece = Math.min(bytes.length - done, Number(WORD) - within);
      let expected = 0n;
      for (let i = piece - 1; i >= 0; i--) expected = (expected << 8n) | BigInt(bytes[done + i] as number);
      const mask = ((1n << BigInt(8 * piece)) - 1n) << BigInt(8 * within);
      if (!this.#add(step, what, at - BigInt(within), mask, expected << BigInt(8 * within))) return false;
      done += piece;
    }
    return true;
  }

  /** Expects a pointer. */
  expectPointer(step: Step, what: string, address: bigint, value: bigint): boolean {
    return this.#add(step, what, address, (1n << 64n) - 1n, value);
  }

  /** Expects some bits of a little-endian unit of `size` bytes at a multiple of its size. */
  expectBits(step: Step, what: string, address: bigint, size: number, mask: bigint, value: bigint): boolean {
    const within = address % WORD;
    if (Number(within) + size > Number(WORD)) return false;
    const shift = within * 8n;
    return this.#add(step, what, address - within, mask << shift, (value & mask) << shift);
  }

  /** Expects a member of at most four bytes, whole or a bit field, of the structure at `base`. */
  expectBitField(step: Step, what: string, base: bigint, bit: BitField, value: number): boolean {
    const { offset, size } = bytesOf(bit);
    const shift = BigInt(bit.bitOffset - offset * 8);
    const mask = ((1n << BigInt(bit.bitSize)) - 1n) << shift;
    return this.expectBits(step, what, base + BigInt(offset), size, mask, BigInt(value) << shift);
  }

  #add(step: Step, what: string, address: bigint, mask: bigint, expected: bigint): boolean {
    const physical = this.physical(address);
    if (physical === undefined || address % WORD !== 0n) return false;
    this.#words.push(physical, mask, expected);
    this.#guards.push({ step, what });
    return true;
  }

  /** The physical address of what it leads to, the number of guards, and triples of [physical address, mask, expected value]. */
  words(target: bigint): BigUint64Array {
    return BigUint64Array.of(target, BigInt(this.#guards.length), ...this.#words);
  }

  /** Names the guard that did not hold. */
  describe(index: number): string {
    const guard = this.#guards[index];
    return guard ? `${guard.step}: ${guard.what} is no longer what it was` : `guard ${index} does not hold`;
  }
}
