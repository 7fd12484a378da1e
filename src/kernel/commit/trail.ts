import type { Step } from '../../model/kernel-error.js';
import { bytesOf, type BitField } from '../layout/layout.js';

/** How a message names a guard. */
interface GuardName {
  readonly step: Step;
  /** The value that must not change, e.g. `its mptcp_cb`. */
  readonly what: string;
}

const WORD = 8n;

/**
 * The guards of one field, in the order in which the walk read them. A guard is an address that was read on the way to the
 * field, and the value that must still be there. The guarded commit takes aligned words of physical memory, each with a mask
 * of the bits to compare.
 */
export class Trail {
  /** For each guard: [physical address, mask, expected value]. */
  readonly #words: bigint[] = [];
  readonly #names: GuardName[] = [];

  /** @param toPhysical translates a kernel virtual address; returns undefined if it is not mapped. */
  constructor(private readonly toPhysical: (address: bigint) => bigint | undefined) {}

  /** Expects these bytes at a virtual address. Returns false if the address is not mapped. */
  expectBytes(step: Step, what: string, address: bigint, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      const at = address + BigInt(done);
      const within = at % WORD;
      const length = Math.min(bytes.length - done, Number(WORD - within));
      const shift = 8n * within;
      const mask = lowBits(8 * length) << shift;
      const expected = littleEndian(bytes.subarray(done, done + length)) << shift;
      if (!this.#add(step, what, at - within, mask, expected)) return false;
      done += length;
    }
    return true;
  }

  /** Expects a pointer. Returns false if the address is not mapped. */
  expectPointer(step: Step, what: string, address: bigint, value: bigint): boolean {
    return this.#add(step, what, address, lowBits(64), value);
  }

  /** Expects some bits of a little-endian unit of `size` bytes, which must be naturally aligned. */
  expectBits(step: Step, what: string, address: bigint, size: number, mask: bigint, value: bigint): boolean {
    const within = address % WORD;
    if (Number(within) + size > Number(WORD)) return false;
    const shift = 8n * within;
    return this.#add(step, what, address - within, mask << shift, (value & mask) << shift);
  }

  /** Expects a bit field, or a whole member of at most four bytes, of the structure at `base`. */
  expectBitField(step: Step, what: string, base: bigint, bit: BitField, value: number): boolean {
    const { offset, size } = bytesOf(bit);
    const shift = BigInt(bit.bitOffset - offset * 8);
    const mask = lowBits(bit.bitSize) << shift;
    return this.expectBits(step, what, base + BigInt(offset), size, mask, BigInt(value) << shift);
  }

  /**
   * The guards as the native `commit` takes them: `target`, the number of guards, and for each guard
   * [physical address, mask, expected value].
   * @param target physical address of the structure to change.
   */
  words(target: bigint): BigUint64Array {
    return BigUint64Array.of(target, BigInt(this.#names.length), ...this.#words);
  }

  /** A message for the admin about a guard that failed. */
  describe(index: number): string {
    const name = this.#names[index];
    return name ? `${name.step}: ${name.what} changed` : `guard ${index} failed`;
  }

  #add(step: Step, what: string, address: bigint, mask: bigint, expected: bigint): boolean {
    const physical = this.toPhysical(address);
    if (physical === undefined || address % WORD !== 0n) return false;
    this.#words.push(physical, mask, expected);
    this.#names.push({ step, what });
    return true;
  }
}

/** A mask of this many low bits. */
function lowBits(count: number): bigint {
  return (1n << BigInt(count)) - 1n;
}

/** The number that these bytes are, the lowest byte first. */
function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
}
