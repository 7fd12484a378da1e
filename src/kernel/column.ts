import { ReadStatus, type GatheredRows, type NativeMemory } from './addon.js';
import type { BitSlot, Shape, Slot } from './shape.js';

const WORD = 8;

/** Words of 8 bytes, as twice as many numbers: to compare them costs less than to compare bigints. */
export type Halves = Uint32Array;

export function halves(words: BigUint64Array): Halves {
  return new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
}

/**
 * The same members of many structures: what one step of the walk read for all sockets at once. Row numbers are those of
 * the addresses that were given. A column that is read again knows which rows are as they were.
 */
export class Column {
  readonly #members: Int32Array;
  readonly #stride: number;
  #bytes = new Uint8Array(0);
  /** The rows, word by word. */
  #words = new BigUint64Array(0);
  #halves: Halves = new Uint32Array(0);
  #status = new Uint8Array(0);

  constructor(shape: Shape) {
    this.#members = shape.triples;
    this.#stride = shape.words;
  }

  /** Reads the members of the structures at these addresses. @param beside gets other members of the same structures. */
  read(memory: NativeMemory, addresses: BigUint64Array, beside?: Column): this {
    this.#reserve(addresses.length);
    if (beside) {
      beside.#reserve(addresses.length);
      memory.gather(addresses, ...this.#rows, ...beside.#rows);
    } else memory.gather(addresses, ...this.#rows);
    return this;
  }

  /** Whether the row could be read. One that could not is all zeros. */
  isRead(row: number): boolean {
    return (this.#status[row] as number) >= ReadStatus.changed;
  }

  /** Whether the row could be read now and the last time, and is as it was: the structure's address, and every member. */
  isSame(row: number): boolean {
    return this.#status[row] === ReadStatus.same;
  }

  /** The structure's address. */
  address(row: number): bigint {
    return this.#words[row * this.#stride] as bigint;
  }

  /** An unsigned member of up to four bytes, or the low four bytes of a longer one. */
  u32(row: number, slot: Slot): number {
    return this.#halves[2 * (row * this.#stride + slot)] as number;
  }

  /** A pointer or another member of eight bytes, or the first eight bytes of a longer one. */
  u64(row: number, slot: Slot): bigint {
    return this.#words[row * this.#stride + slot] as bigint;
  }

  /** A member of eight bytes that counts something: exact up to 2^53. */
  count(row: number, slot: Slot): number {
    const half = 2 * (row * this.#stride + slot);
    return (this.#halves[half + 1] as number) * 2 ** 32 + (this.#halves[half] as number);
  }

  /** Whether a pointer is that one of these. */
  holds(row: number, slot: Slot, pointers: Halves, index: number): boolean {
    const half = 2 * (row * this.#stride + slot);
    return this.#halves[half] === pointers[2 * index] && this.#halves[half + 1] === pointers[2 * index + 1];
  }

  /** Whether a pointer leads nowhere. */
  isNull(row: number, slot: Slot): boolean {
    const half = 2 * (row * this.#stride + slot);
    return this.#halves[half] === 0 && this.#halves[half + 1] === 0;
  }

  /** A bit field, or a member of up to four bytes. */
  bits(row: number, { slot, shift, mask }: BitSlot): number {
    return ((this.u32(row, slot) >>> shift) & mask) >>> 0;
  }

  /** A member's bytes as they lie in memory. */
  slice(row: number, slot: Slot, size: number): Uint8Array {
    const at = (row * this.#stride + slot) * WORD;
    return this.#bytes.subarray(at, at + size);
  }

  /** The same pointer of the first rows; 0 where it could not be read. */
  pointers(slot: Slot, rows: number): BigUint64Array {
    const all = new BigUint64Array(rows);
    for (let row = 0, at = slot; row < rows; row++, at += this.#stride) all[row] = this.#words[at] as bigint;
    return all;
  }

  get #rows(): GatheredRows {
    return [this.#members, this.#bytes, this.#status];
  }

  /** Makes room for this many rows; those there are stay, for the next reading to compare with. */
  #reserve(rows: number): void {
    if (rows <= this.#status.length) return;
    const room = Math.max(rows, Math.ceil(1.5 * this.#status.length));
    const [bytes, status] = [new Uint8Array(room * this.#stride * WORD), new Uint8Array(room)];
    bytes.set(this.#bytes);
    status.set(this.#status);
    this.#bytes = bytes;
    this.#words = new BigUint64Array(bytes.buffer);
    this.#halves = halves(this.#words);
    this.#status = status;
  }
}
