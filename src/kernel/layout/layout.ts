import type { Btf, Member } from './btf.js';
import { KernelError } from '../../model/kernel-error.js';
import { BIT_STRUCTS, MEMBERS } from './members.js';

/** A whole member. */
export interface Field {
  /** From the structure's start, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** A bit field of one structure. */
export interface BitField {
  readonly name: string;
  /** From the structure's start, bits. */
  readonly bitOffset: number;
  /** Bits. */
  readonly bitSize: number;
}

/** A layout as plain data: members by `struct.member`, bit fields by struct. */
export interface LayoutData {
  readonly fields: Readonly<Record<string, Field>>;
  readonly bits: Readonly<Record<string, readonly BitField[]>>;
}

/**
 * Offsets and bit positions of the kernel's structures, for one exact build: the members that the walk reads,
 * under the kernel's own names. A member of a member is named by its way, e.g. `f_path.dentry`.
 */
export class Layout {
  readonly #fields: ReadonlyMap<string, Field>;
  readonly #bits: ReadonlyMap<string, readonly BitField[]>;

  constructor(readonly data: LayoutData) {
    this.#fields = new Map(Object.entries(data.fields));
    this.#bits = new Map(Object.entries(data.bits));
  }

  /** Whether the kernel's structure has this member, whole or as a bit field. */
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
   * A member that is a bit field on some kernels and whole on others: its bits.
   * @throws {KernelError} if the kernel has no such member.
   */
  bits(struct: string, member: string): BitField {
    const bit = this.#bit(struct, member);
    if (bit) return bit;
    const { offset, size } = this.field(struct, member);
    return { name: member, bitOffset: offset * 8, bitSize: size * 8 };
  }

  /** All bit fields of a structure: what shares a byte with what. */
  bitFields(struct: string): readonly BitField[] {
    return this.#bits.get(struct) ?? [];
  }

  #bit(struct: string, member: string): BitField | undefined {
    return this.bitFields(struct).find(({ name }) => name === member);
  }
}

/**
 * What the walk needs of a kernel's own description of its types. What a kernel does not have is left out: which
 * members there are tells its family and its age.
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

/** The one definition that counts; definitions that differ in a wanted member leave no safe choice. */
function onlyDefinition(btf: Btf, struct: string, names: readonly string[]): number | undefined {
  const [first, ...others] = btf.structs(struct);
  const places = (id: number) => names.map((name) => memberAt(btf, id, name)?.bitOffset).join();
  if (first !== undefined && others.some((other) => places(other) !== places(first))) {
    throw new KernelError('layout', `this kernel has several definitions of struct ${struct} that disagree`);
  }
  return first;
}

/** A member by its way through named members. */
function memberAt(btf: Btf, struct: number, way: string): Member | undefined {
  let [id, base]: [number | undefined, number] = [struct, 0];
  let found: Member | undefined;
  for (const name of way.split('.')) {
    const inside: Member | undefined =
      id === undefined ? undefined : btf.members(id).find((member) => member.name === name);
    if (!inside) return undefined;
    found = { ...inside, name: way, bitOffset: base + inside.bitOffset };
    [id, base] = [inside.struct, found.bitOffset];
  }
  return found;
}

/** The whole bytes that hold a bit field. */
export function bytesOf({ bitOffset, bitSize }: BitField): Field {
  const offset = bitOffset >>> 3;
  return { offset, size: ((bitOffset + bitSize - 1) >>> 3) - offset + 1 };
}
