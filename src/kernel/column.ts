import type { BitField, Field } from './layout.js';
import { ReadStatus } from './addon.js';

/**
 * The same stretch of many structures: what one step of the walk read for all sockets at once.
 * Row numbers are those of the addresses that were given.
 */
export class Column {
  readonly #view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly status: Uint8Array,
    private readonly start: number,
    private readonly length: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether the row could be read. */
  isRead(row: number): boolean {
    return this.status[row] === ReadStatus.read;
  }

  /** An unsigned member of up to four bytes, or the low four bytes of a longer one. */
  u32(row: number, field: Field): number {
    const at = this.#at(row, field);
    if (field.size === 1) return this.#view.getUint8(at);
    if (field.size === 2) return this.#view.getUint16(at, true);
    return this.#view.getUint32(at, true);
  }

  /** A pointer or another member of eight bytes, or the first eight bytes of a longer one. */
  u64(row: number, field: Field): bigint {
    return this.#view.getBigUint64(this.#at(row, field), true);
  }

  /** A member's bytes as they lie in memory. */
  slice(row: number, field: Field): Uint8Array {
    const at = this.#at(row, field);
    return this.bytes.subarray(at, at + field.size);
  }

  /** One bit, by its place in the structure. */
  bit(row: number, bitOffset: number): boolean {
    const at = row * this.length + (bitOffset >>> 3) - this.start;
    return ((this.#view.getUint8(at) >>> (bitOffset & 7)) & 1) === 1;
  }

  /** A member of at most 32 bits, whole or a bit field, as a number. */
  bits(row: number, { bitOffset, bitSize }: BitField): number {
    let value = 0;
    for (let bit = bitSize - 1; bit >= 0; bit--) value = value * 2 + (this.bit(row, bitOffset + bit) ? 1 : 0);
    return value;
  }

  #at(row: number, field: Field): number {
    return row * this.length + field.offset - this.start;
  }
}
