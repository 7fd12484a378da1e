import { ReadStatus, type GatheredRows, type NativeMemory } from '../../native/addon.js';
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
  readonly #shape: BigUint64Array;
  /** Of a row, bytes. */
  readonly #stride: number;
  #addresses: BigUint64Array = new BigUint64Array(0);
  #words = new BigUint64Array(0);
  /** The same, in smaller parts. */
  #halves: Halves = new Uint32Array(0);
  #shorts = new Uint16Array(0);
  #bytes = new Uint8Array(0);
  #status = new Uint8Array(0);

  constructor(shape: Shape) {
    this.#shape = shape.pairs;
    this.#stride = shape.words * WORD;
  }

  /**
   * Reads the members of the structures at these addresses, which nobody changes from now on.
   * @param beside gets other members of the same structures.
   */
  read(memory: NativeMemory, addresses: BigUint64Array, beside?: Column): this {
    this.#lookAt(addresses);
    if (beside) beside.#lookAt(addresses);
    if (beside) memory.gather(...this.rows, ...beside.rows);
    else memory.gather(...this.rows);
    return this;
  }

  /** Reads the same structures again. Returns whether any row is not as it was. */
  readAgain(memory: NativeMemory): boolean {
    return memory.gather(...this.rows) > 0;
  }

  /** What the addon reads, and where to. */
  get rows(): GatheredRows {
    return [this.#addresses, this.#shape, this.#words, this.#status];
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
    return this.u64(row, 0);
  }

  /** An unsigned member of one byte. */
  u8(row: number, slot: Slot): number {
    return this.#bytes[row * this.#stride + slot] as number;
  }

  /** ... of two. */
  u16(row: number, slot: Slot): number {
    return this.#shorts[(row * this.#stride + slot) >>> 1] as number;
  }

  /** ... of four. */
  u32(row: number, slot: Slot): number {
    return this.#halves[(row * this.#stride + slot) >>> 2] as number;
  }

  /** A pointer or another member of eight bytes. */
  u64(row: number, slot: Slot): bigint {
    return this.#words[(row * this.#stride + slot) >>> 3] as bigint;
  }

  /** A member of eight bytes that counts something: exact up to 2^53. */
  count(row: number, slot: Slot): number {
    return this.u32(row, slot + 4) * 2 ** 32 + this.u32(row, slot);
  }

  /** Whether a pointer is that one of these. */
  holds(row: number, slot: Slot, pointers: Halves, index: number): boolean {
    return this.u32(row, slot) === pointers[2 * index] && this.u32(row, slot + 4) === pointers[2 * index + 1];
  }

  /** Whether a pointer leads nowhere. */
  isNull(row: number, slot: Slot): boolean {
    return this.u32(row, slot) === 0 && this.u32(row, slot + 4) === 0;
  }

  /** A bit field, or a member of up to four bytes. */
  bits(row: number, { slot, shift, mask }: BitSlot): number {
    return ((this.u32(row, slot) >>> shift) & mask) >>> 0;
  }

  /** A member's bytes as they lie in memory. */
  slice(row: number, slot: Slot, size: number): Uint8Array {
    const at = row * this.#stride + slot;
    return this.#bytes.subarray(at, at + size);
  }

  /** The same pointer of the first rows; 0 where it could not be read. */
  pointers(slot: Slot, rows: number): BigUint64Array {
    const all = new BigUint64Array(rows);
    const stride = this.#stride / WORD;
    for (let row = 0, at = slot / WORD; row < rows; row++, at += stride) all[row] = this.#words[at] as bigint;
    return all;
  }

  /** Makes room for the rows; those there are stay, for the next reading to compare with. */
  #lookAt(addresses: BigUint64Array): void {
    this.#addresses = addresses;
    const rows = addresses.length;
    if (rows <= this.#status.length) return;
    const room = Math.max(rows, Math.ceil(1.5 * this.#status.length));
    const [bytes, status] = [new Uint8Array(room * this.#stride), new Uint8Array(room)];
    bytes.set(this.#bytes);
    status.set(this.#status);
    this.#bytes = bytes;
    this.#words = new BigUint64Array(bytes.buffer);
    this.#halves = halves(this.#words);
    this.#shorts = new Uint16Array(bytes.buffer);
    this.#status = status;
  }
}
