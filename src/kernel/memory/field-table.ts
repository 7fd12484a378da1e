import { ReadStatus, type NativeMemory, type NativeTable } from '../../native/addon.js';
import type { BitSlot, FieldSelection, Slot } from './field-selection.js';

const WORD = 8;

/** 8-byte words as pairs of 32-bit numbers, low half first. V8 compares these faster than bigints. */
export type WordHalves = Uint32Array;

/** The same memory as pairs of 32-bit numbers: a view and not a copy. */
export function toHalves(words: BigUint64Array): WordHalves {
  return new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
}

/**
 * The same members of many structures, read in one native call: one row for each structure, in the order of the
 * addresses that were given. After a second read the table also knows which rows have not changed.
 */
export class FieldTable {
  readonly #wordMasks: BigUint64Array;
  /** The size of one row, bytes. */
  readonly #stride: number;
  #addresses: BigUint64Array = new BigUint64Array(0);
  // four views of the same memory
  #words = new BigUint64Array(0);
  #halves: WordHalves = new Uint32Array(0);
  #shorts = new Uint16Array(0);
  #bytes = new Uint8Array(0);
  #status = new Uint8Array(0);

  constructor(selection: FieldSelection) {
    this.#wordMasks = selection.wordMasks;
    this.#stride = selection.rowWords * WORD;
  }

  /**
   * Reads the members of the structures at these addresses. The caller must not modify this array afterwards.
   * @param beside a table that reads other members of the same structures in the same call.
   */
  read(memory: NativeMemory, addresses: BigUint64Array, beside?: FieldTable): this {
    this.#reserveRows(addresses);
    if (beside) beside.#reserveRows(addresses);
    if (beside) memory.gather(...this.native, ...beside.native);
    else memory.gather(...this.native);
    return this;
  }

  /** Reads the same structures again. Returns whether any row changed. */
  readAgain(memory: NativeMemory): boolean {
    return memory.gather(...this.native) > 0;
  }

  /** The arguments of the addon's `gather` and `isUnchanged` for this table. */
  get native(): NativeTable {
    return [this.#addresses, this.#wordMasks, this.#words, this.#status];
  }

  /** Whether the structure could be read. If not, its row is all zeros. */
  isRead(row: number): boolean {
    return (this.#status[row] as number) >= ReadStatus.changed;
  }

  /** Whether the row could be read both this time and the last time, with the same address and the same members. */
  isUnchanged(row: number): boolean {
    return this.#status[row] === ReadStatus.unchanged;
  }

  /** The address of the structure. */
  address(row: number): bigint {
    return this.u64(row, 0);
  }

  /** An unsigned member of one byte. */
  u8(row: number, slot: Slot): number {
    return this.#bytes[row * this.#stride + slot] as number;
  }

  /** An unsigned member of two bytes. */
  u16(row: number, slot: Slot): number {
    return this.#shorts[(row * this.#stride + slot) >>> 1] as number;
  }

  /** An unsigned member of four bytes. */
  u32(row: number, slot: Slot): number {
    return this.#halves[(row * this.#stride + slot) >>> 2] as number;
  }

  /** A pointer, or another member of eight bytes. */
  u64(row: number, slot: Slot): bigint {
    return this.#words[(row * this.#stride + slot) >>> 3] as bigint;
  }

  /** An unsigned member of eight bytes as a number, which is exact up to 2^53. */
  count(row: number, slot: Slot): number {
    return this.u32(row, slot + 4) * 2 ** 32 + this.u32(row, slot);
  }

  /** Whether a pointer member equals the pointer at `index`. */
  pointerEquals(row: number, slot: Slot, pointers: WordHalves, index: number): boolean {
    return this.u32(row, slot) === pointers[2 * index] && this.u32(row, slot + 4) === pointers[2 * index + 1];
  }

  /** Whether a pointer member is NULL. */
  isNull(row: number, slot: Slot): boolean {
    return this.u32(row, slot) === 0 && this.u32(row, slot + 4) === 0;
  }

  /** A bit field, or a member of at most four bytes. */
  bits(row: number, { slot, shift, mask }: BitSlot): number {
    return ((this.u32(row, slot) >>> shift) & mask) >>> 0;
  }

  /** The bytes of a member, as they lie in memory. */
  bytes(row: number, slot: Slot, size: number): Uint8Array {
    const at = row * this.#stride + slot;
    return this.#bytes.subarray(at, at + size);
  }

  /** One pointer member of the first `rows` rows; 0 for a row that could not be read. */
  pointers(slot: Slot, rows: number): BigUint64Array {
    const all = new BigUint64Array(rows);
    const stride = this.#stride / WORD;
    for (let row = 0, at = slot / WORD; row < rows; row++, at += stride) all[row] = this.#words[at] as bigint;
    return all;
  }

  /** Makes room for a row of each address. Keeps the existing rows, because the next read compares with them. */
  #reserveRows(addresses: BigUint64Array): void {
    this.#addresses = addresses;
    const rows = addresses.length;
    if (rows <= this.#status.length) return;
    const room = Math.max(rows, Math.ceil(1.5 * this.#status.length));
    const [bytes, status] = [new Uint8Array(room * this.#stride), new Uint8Array(room)];
    bytes.set(this.#bytes);
    status.set(this.#status);
    this.#bytes = bytes;
    this.#words = new BigUint64Array(bytes.buffer);
    this.#halves = toHalves(this.#words);
    this.#shorts = new Uint16Array(bytes.buffer);
    this.#status = status;
  }
}
