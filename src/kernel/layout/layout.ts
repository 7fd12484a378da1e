import { KernelError } from '../../model/kernel-error.js';
import type { Btf, Member } from './btf.js';
import { BIT_STRUCTS, MEMBERS } from './members.js';

/** The position of a whole member. */
export interface Field {
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** The position of a bit field. */
export interface BitField {
  readonly name: string;
  /** Bits from the start of the structure. */
  readonly bitOffset: number;
  /** Bits. */
  readonly bitSize: number;
}

/** A layout as plain data: whole members by `struct.member`, bit fields by `struct`. */
export interface LayoutData {
  readonly fields: Readonly<Record<string, Field>>;
  readonly bits: Readonly<Record<string, readonly BitField[]>>;
}

/**
 * Where the members that the walk reads lie in the structures of one kernel build, by the kernel's names. A member of a
 * member has a dotted name, such as `f_path.dentry`.
 */
export class Layout {
  readonly #fields: ReadonlyMap<string, Field>;
  readonly #bits: ReadonlyMap<string, readonly BitField[]>;

  constructor(readonly data: LayoutData) {
    this.#fields = new Map(Object.entries(data.fields));
    this.#bits = new Map(Object.entries(data.bits));
  }

  /** Whether the kernel's structure has this member, as a whole member or as a bit field. */
  has(struct: string, member: string): boolean {
    return this.#fields.has(`${struct}.${member}`) || this.#bit(struct, member) !== undefined;
  }

  /** @throws {KernelError} if the kernel has no such member, or has it as a bit field. */
  field(struct: string, member: string): Field {
    const field = this.#fields.get(`${struct}.${member}`);
    if (!field) throw new KernelError('layout', `this kernel's struct ${struct} has no member ${member}`);
    return field;
  }

  /**
   * The bits of a member that is a bit field on some kernels and a whole member on others.
   * @throws {KernelError} if the kernel has no such member.
   */
  bits(struct: string, member: string): BitField {
    const bit = this.#bit(struct, member);
    if (bit) return bit;
    const { offset, size } = this.field(struct, member);
    return { name: member, bitOffset: offset * 8, bitSize: size * 8 };
  }

  /** All bit fields of a structure, for questions about which of them share a byte. */
  bitFields(struct: string): readonly BitField[] {
    return this.#bits.get(struct) ?? [];
  }

  #bit(struct: string, member: string): BitField | undefined {
    return this.bitFields(struct).find(({ name }) => name === member);
  }
}

/**
 * Makes a layout from a kernel's description of its types. A member that the kernel does not have is left out. From the
 * members that exist, the walk recognises the kernel's MPTCP implementation and version.
 * @throws {KernelError} if the BTF is malformed or has contradicting definitions.
 */
export function layoutFromBtf(btf: Btf): Layout {
  const fields: Record<string, Field> = {};
  const bits: Record<string, readonly BitField[]> = {};
  for (const [struct, names] of Object.entries(MEMBERS)) {
    const definition = onlyDefinition(btf, struct, names);
    if (definition === undefined) continue;
    const members = names.flatMap((name) => memberAt(btf, definition, name) ?? []);
    for (const { name, bitOffset, bitSize, isBitField } of members) {
      if (!isBitField) fields[`${struct}.${name}`] = { offset: bitOffset / 8, size: bitSize / 8 };
    }
    const wanted = members.filter(({ isBitField }) => isBitField);
    // A commit may write the whole byte of a bit, so it must know all bit fields of these structures.
    const neighbours = BIT_STRUCTS.has(struct)
      ? btf.members(definition).filter(({ isBitField, name }) => isBitField && !names.includes(name))
      : [];
    if (wanted.length + neighbours.length === 0) continue;
    bits[struct] = [...wanted, ...neighbours]
      .map(({ name, bitOffset, bitSize }) => ({ name, bitOffset, bitSize }))
      .sort((a, b) => a.bitOffset - b.bitOffset);
  }
  return new Layout({ fields, bits });
}

/** The definition of a structure. If there are several, they must agree about the wanted members. */
function onlyDefinition(btf: Btf, struct: string, names: readonly string[]): number | undefined {
  const [first, ...others] = btf.structs(struct);
  const offsets = (id: number) => names.map((name) => memberAt(btf, id, name)?.bitOffset).join();
  if (first !== undefined && others.some((other) => offsets(other) !== offsets(first))) {
    throw new KernelError('layout', `this kernel has contradicting definitions of struct ${struct}`);
  }
  return first;
}

/** Finds a member by its dotted name. */
function memberAt(btf: Btf, struct: number, path: string): Member | undefined {
  let [id, base]: [number | undefined, number] = [struct, 0];
  let found: Member | undefined;
  for (const name of path.split('.')) {
    const inside: Member | undefined =
      id === undefined ? undefined : btf.members(id).find((member) => member.name === name);
    if (!inside) return undefined;
    found = { ...inside, name: path, bitOffset: base + inside.bitOffset };
    [id, base] = [inside.struct, found.bitOffset];
  }
  return found;
}

/** The bytes that contain a bit field. */
export function bytesOf({ bitOffset, bitSize }: BitField): Field {
  const offset = bitOffset >>> 3;
  return { offset, size: ((bitOffset + bitSize - 1) >>> 3) - offset + 1 };
}
