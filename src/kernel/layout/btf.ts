import { KernelError } from '../../model/kernel-error.js';

/** A member of a structure. Members of anonymous structs and unions count as members of the outer structure. */
export interface Member {
  readonly name: string;
  /** Bits from the start of the structure. */
  readonly bitOffset: number;
  /** Bits. */
  readonly bitSize: number;
  readonly isBitField: boolean;
  /** If the member is a structure or union: its type id. */
  readonly struct?: number;
}

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
const TYPE_BYTES = 12;

// include/uapi/linux/btf.h
const Kind = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  float: 16,
  typeTag: 18,
  enum64: 19,
} as const;

/** The number of bytes after the fixed part of a type: [once, for each of its vlen elements]. Other kinds are unknown. */
const EXTRA_BYTES: Readonly<Record<number, readonly [number, number]>> = {
  1: [4, 0], // INT
  2: [0, 0], // PTR
  3: [12, 0], // ARRAY
  4: [0, 12], // STRUCT
  5: [0, 12], // UNION
  6: [0, 8], // ENUM
  7: [0, 0], // FWD
  8: [0, 0], // TYPEDEF
  9: [0, 0], // VOLATILE
  10: [0, 0], // CONST
  11: [0, 0], // RESTRICT
  12: [0, 0], // FUNC
  13: [0, 8], // FUNC_PROTO
  14: [4, 0], // VAR
  15: [0, 12], // DATASEC
  16: [0, 0], // FLOAT
  17: [4, 0], // DECL_TAG
  18: [0, 0], // TYPE_TAG
  19: [0, 12], // ENUM64
};

const MAX_DEPTH = 32;
/** Largest number of members of one structure, with those of its anonymous structs and unions. Linux needs some hundreds. */
export const MAX_MEMBERS = 65_536;
/** Longest name, bytes. The kernel's own limit is 511 (KSYM_NAME_LEN). */
export const MAX_NAME_BYTES = 1_024;

/**
 * Reads BTF, the kernel's description of its own types (Documentation/bpf/btf.rst), as in `/sys/kernel/btf/vmlinux`. Only
 * little endian. It checks every offset, so that a truncated or foreign file ends in a KernelError.
 */
export class Btf {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #strings: { start: number; end: number };
  /** The offset of each type, by type id; id 0 is void. */
  readonly #types: number[] = [0];

  /** @throws {KernelError} if the bytes are truncated or malformed. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_BYTES || this.#view.getUint16(0, true) !== MAGIC)
      throw malformed('no BTF header');
    const header = this.#view.getUint32(4, true);
    const types = header + this.#view.getUint32(8, true);
    const typesEnd = types + this.#view.getUint32(12, true);
    const strings = header + this.#view.getUint32(16, true);
    const stringsEnd = strings + this.#view.getUint32(20, true);
    if (typesEnd > bytes.length || stringsEnd > bytes.length)
      throw malformed('it is shorter than its header says');
    this.#strings = { start: strings, end: stringsEnd };
    this.#indexTypes(types, typesEnd);
  }

  #indexTypes(start: number, end: number): void {
    let at = start;
    while (at + TYPE_BYTES <= end) {
      this.#types.push(at);
      const extra = EXTRA_BYTES[this.#kind(at)];
      if (!extra) throw malformed(`type ${this.#types.length - 1} has the unknown kind ${this.#kind(at)}`);
      at += TYPE_BYTES + extra[0] + extra[1] * this.#vlen(at);
    }
    if (at !== end) throw malformed('its last type is cut off');
  }

  #kind(at: number): number {
    return (this.#view.getUint32(at + 4, true) >>> 24) & 0x1f;
  }

  #vlen(at: number): number {
    return this.#view.getUint32(at + 4, true) & 0xffff;
  }

  /** For a type with a size, its size in bytes; for other types, the id of the type that they refer to. */
  #sizeOrType(at: number): number {
    return this.#view.getUint32(at + 8, true);
  }

  #at(id: number): number {
    const at = this.#types[id];
    if (at === undefined || id === 0) throw malformed(`there is no type ${id}`);
    return at;
  }

  #string(offset: number): string {
    const start = this.#strings.start + offset;
    if (start >= this.#strings.end) throw malformed('a name is out of bounds');
    const longest = this.#bytes.subarray(start, Math.min(this.#strings.end, start + MAX_NAME_BYTES + 1));
    const length = longest.indexOf(0);
    if (length < 0 && longest.length > MAX_NAME_BYTES)
      throw malformed(`a name is longer than ${MAX_NAME_BYTES} bytes`);
    if (length < 0) throw malformed('a name is out of bounds');
    return Buffer.from(longest.subarray(0, length)).toString('latin1');
  }

  /** The offset of a name in the strings (BTF has each string once), or undefined if it is not there. */
  #nameOffset(name: string): number | undefined {
    const { start, end } = this.#strings;
    const strings = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start);
    const at = strings.indexOf(`\0${name}\0`, 0, 'latin1');
    return at < 0 ? undefined : at + 1;
  }

  /** The type ids of all structures with this name. There are several if parts of the kernel define it differently. */
  structs(name: string): readonly number[] {
    const wanted = this.#nameOffset(name);
    if (wanted === undefined) return [];
    const found: number[] = [];
    for (let id = 1; id < this.#types.length; id++) {
      const at = this.#at(id);
      if (this.#view.getUint32(at, true) === wanted && this.#kind(at) === Kind.struct) found.push(id);
    }
    return found;
  }

  /** The size of a structure, bytes. */
  size(id: number): number {
    return this.#sizeOrType(this.#at(id));
  }

  /** Every named member of a structure, with those of its anonymous structs and unions. */
  members(id: number): readonly Member[] {
    const found: Member[] = [];
    const left = this.#collect(id, 0, 0, found, MAX_MEMBERS);
    if (left < 0) {
      const name = this.#string(this.#view.getUint32(this.#at(id), true));
      throw malformed(`struct ${name} has more than ${MAX_MEMBERS} members`);
    }
    return found;
  }

  /** @returns how many more members are allowed; below 0: there were too many, and not all of them were added. */
  #collect(id: number, base: number, depth: number, found: Member[], most: number): number {
    if (depth > MAX_DEPTH) throw malformed('structures nest too deep');
    const at = this.#at(id);
    if (this.#kind(at) !== Kind.struct && this.#kind(at) !== Kind.union) return most;
    const hasBitSizes = this.#view.getUint32(at + 4, true) >>> 31 === 1;
    let left = most;
    for (let index = 0; index < this.#vlen(at); index++) {
      // Anonymous structs can contain each other many times, so a few of them can have more members than memory has room for.
      if (--left < 0) break;
      const member = at + TYPE_BYTES + index * 12;
      const name = this.#string(this.#view.getUint32(member, true));
      const type = this.#view.getUint32(member + 4, true);
      const raw = this.#view.getUint32(member + 8, true);
      const bitOffset = base + (hasBitSizes ? raw & 0xffffff : raw);
      if (name === '') {
        left = this.#collect(this.#resolve(type), bitOffset, depth + 1, found, left);
        continue;
      }
      const bits = hasBitSizes ? raw >>> 24 : 0;
      found.push(
        bits > 0
          ? { name, bitOffset, bitSize: bits, isBitField: true }
          : { name, ...this.#wholeMember(type, bitOffset) },
      );
    }
    return left;
  }

  /** BTF of older tools has no bit sizes in members. It has them in the integer type of the member. */
  #wholeMember(type: number, bitOffset: number): Omit<Member, 'name'> {
    const id = this.#resolve(type);
    if (id !== 0 && this.#kind(this.#at(id)) === Kind.int) {
      const at = this.#at(id);
      const encoding = this.#view.getUint32(at + TYPE_BYTES, true);
      const bits = encoding & 0xff;
      if (bits !== this.#sizeOrType(at) * 8) {
        return { bitOffset: bitOffset + ((encoding >>> 16) & 0xff), bitSize: bits, isBitField: true };
      }
    }
    const kind = id === 0 ? 0 : this.#kind(this.#at(id));
    const struct = kind === Kind.struct || kind === Kind.union ? { struct: id } : {};
    return { bitOffset, bitSize: this.#byteSize(id, 0) * 8, isBitField: false, ...struct };
  }

  /** Follows typedefs and qualifiers to the type that they refer to. */
  #resolve(type: number): number {
    let id = type;
    for (let depth = 0; depth <= MAX_DEPTH; depth++) {
      if (id === 0) return 0;
      const kind = this.#kind(this.#at(id));
      const refers =
        kind === Kind.typedef ||
        kind === Kind.volatile ||
        kind === Kind.const ||
        kind === Kind.restrict ||
        kind === Kind.typeTag;
      if (!refers) return id;
      id = this.#sizeOrType(this.#at(id));
    }
    throw malformed('a type refers to itself');
  }

  #byteSize(id: number, depth: number): number {
    if (id === 0) return 0;
    if (depth > MAX_DEPTH) throw malformed('arrays nest too deep');
    const at = this.#at(id);
    switch (this.#kind(at)) {
      case Kind.int:
      case Kind.struct:
      case Kind.union:
      case Kind.enum:
      case Kind.enum64:
      case Kind.float:
        return this.#sizeOrType(at);
      case Kind.ptr:
        return 8;
      case Kind.array: {
        const element = this.#resolve(this.#view.getUint32(at + TYPE_BYTES, true));
        return this.#byteSize(element, depth + 1) * this.#view.getUint32(at + TYPE_BYTES + 8, true);
      }
      default:
        return 0;
    }
  }
}

function malformed(what: string): KernelError {
  return new KernelError('layout', `this is not usable BTF: ${what}`);
}
