import type { Step } from '../../model/kernel-error.js';
import { bytesOf, type BitField } from '../layout/layout.js';

/** A guard: an address that was read on the way to a field, and the value that it must still have. */
interface Guard {
  readonly step: Step;
  /** The name of the value for the admin, in the message for a guard that fails. */
  readonly what: string;
}

const WORD = 8n;

/**
 * The guards of one field, in the order in which the walk read them. The guarded commit takes aligned words of physical
 * memory, each with a mask of the bits to compare.
 */
export class Trail {
  readonly #words: bigint[] = [];
  readonly #guards: Guard[] = [];

  /** @param toPhysical translates a kernel virtual address; returns undefined if it is not mapped. */
  constructor(private readonly toPhysical: (address: bigint) => bigint | undefined) {}

  /** Expects these bytes at a virtual address. Returns false if the address is not mapped. */
  expectBytes(step: Step, what: string, address: bigint, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      const at = address + BigInt(done);
      const within = Number(at % WORD);
      const length = Math.min(bytes.length - done, Number(WORD) - within);
      let expected = 0n;
      for (let i = length - 1; i >= 0; i--) expected = (expected << 8n) | BigInt(bytes[done + i] as number);
      const mask = ((1n << BigInt(8 * length)) - 1n) << BigInt(8 * within);
      if (!this.#add(step, what, at - BigInt(within), mask, expected << BigInt(8 * within))) return false;
      done += length;
    }
    return true;
  }

  /** Expects a pointer. Returns false if the address is not mapped. */
  expectPointer(step: Step, what: string, address: bigint, value: bigint): boolean {
    return this.#add(step, what, address, (1n << 64n) - 1n, value);
  }

  /** Expects some bits of a little-endian unit of `size` bytes, which must be naturally aligned. */
  expectBits(step: Step, what: string, address: bigint, size: number, mask: bigint, value: bigint): boolean {
    const within = address % WORD;
    if (Number(within) + size > Number(WORD)) return false;
    const shift = within * 8n;
    return this.#add(step, what, address - within, mask << shift, (value & mask) << shift);
  }

  /** Expects a bit field, or a whole member of at most four bytes, of the structure at `base`. */
  expectBitField(step: Step, what: string, base: bigint, bit: BitField, value: number): boolean {
    const { offset, size } = bytesOf(bit);
    const shift = BigInt(bit.bitOffset - offset * 8);
    const mask = ((1n << BigInt(bit.bitSize)) - 1n) << shift;
    return this.expectBits(step, what, base + BigInt(offset), size, mask, BigInt(value) << shift);
  }

  #add(step: Step, what: string, address: bigint, mask: bigint, expected: bigint): boolean {
    const physical = this.toPhysical(address);
    if (physical === undefined || address % WORD !== 0n) return false;
    this.#words.push(physical, mask, expected);
    this.#guards.push({ step, what });
    return true;
  }

  /**
   * The guards as the native `commit` takes them: `target`, the number of guards, and for each guard
   * [physical address, mask, expected value].
   * @param target physical address of the structure to change.
   */
  words(target: bigint): BigUint64Array {
    return BigUint64Array.of(target, BigInt(this.#guards.length), ...this.#words);
  }

  /** A message for the admin about a guard that failed. */
  describe(index: number): string {
    const guard = this.#guards[index];
    return guard ? `${guard.step}: ${guard.what} changed` : `guard ${index} failed`;
  }
}
