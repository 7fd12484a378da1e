import type { Btf, Member } from './btf.js';
import { KernelError } from './kernel_error.js';

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
 * under the kernel's own names.
 */
export class Layout {
  readonly #fields: ReadonlyMap<string, Field>;
  readonly #bits: ReadonlyMap<string, readonly BitField[]>;

  constructor({ fields, bits }: LayoutData) {
    this.#fields = new Map(Object.entries(fields));
    this.#bits = new Map(Object.entries(bits));
  }

  /** Whether the kernel's structure has this member. */
  has(struct: string, member: string): boolean {
    return this.#fields.has(`${struct}.${member}`);
  }

  /** @throws {KernelError} if the kernel has no such member, which says that its family is another. */
  field(struct: string, member: string): Field {
    const field = this.#fields.get(`${struct}.${member}`);
    if (!field) throw new KernelError('layout', `this kernel's struct ${struct} has no member ${member}`);
    return field;
  }

  /** All bit fields of a structure: what shares a byte with what. */
  bitFields(struct: string): readonly BitField[] {
    return this.#bits.get(struct) ?? [];
  }
}

/** Members common to every family: from the task to a socket's ends. */
const COMMON_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  task_struct: ['tasks', 'pid', 'files'],
  files_struct: ['fdt'],
  fdtable: ['max_fds', 'fd'],
  file: ['f_inode'],
  inode: ['i_mode'],
  socket_alloc: ['socket', 'vfs_inode'],
  socket: ['file', 'sk'],
  sock: ['sk_protocol'],
  sock_common: [
    'skc_family',
    'skc_state',
    'skc_daddr',
    'skc_rcv_saddr',
    'skc_dport',
    'skc_num',
    'skc_v6_daddr',
    'skc_v6_rcv_saddr',
  ],
};

/** The wanted members as BTF gives them. */
export function layoutFromBtf(btf: Btf, wanted: Readonly<Record<string, readonly string[]>>): Layout {
  const fields: Record<string, Field> = {};
  const bits: Record<string, readonly BitField[]> = {};
  for (const [struct, names] of Object.entries({ ...COMMON_MEMBERS, ...wanted })) {
    const members = membersOf(btf, struct, names);
    bits[struct] = members
      .filter((member) => member.isBitField)
      .map(({ name, bitOffset, bitSize }) => ({ name, bitOffset, bitSize }));
    for (const name of names) {
      const member = members.find((candidate) => candidate.name === name);
      if (!member || member.isBitField) continue;
      fields[`${struct}.${name}`] = { offset: member.bitOffset / 8, size: member.bitSize / 8 };
    }
  }
  return new Layout({ fields, bits });
}

/** Members of the one definition that counts; definitions that differ in a wanted member leave no safe choice. */
function membersOf(btf: Btf, struct: string, names: readonly string[]): readonly Member[] {
  const definitions = btf.structs(struct).map((id) => btf.members(id));
  const [first, ...others] = definitions;
  if (!first) throw new KernelError('layout', `this kernel knows no struct ${struct}`);
  const places = (members: readonly Member[]) =>
    names.map((name) => members.find((member) => member.name === name)?.bitOffset).join();
  if (others.some((other) => places(other) !== places(first))) {
    throw new KernelError('layout', `this kernel has several definitions of struct ${struct} that disagree`);
  }
  return first;
}
