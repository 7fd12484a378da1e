import { expect, it } from 'vitest';
import { Btf, MAX_MEMBERS, MAX_NAME_BYTES } from '../../../src/kernel/layout/btf.js';
import { KernelError } from '../../../src/model/kernel-error.js';

const HEADER_BYTES = 24;
const STRUCT = 4;
const INT = 1;

interface StructType {
  readonly name: string;
  /** Each member with the id of its type. Ids count from 1, in the order in which the structures are written. */
  readonly members: readonly (readonly [name: string, type: number])[];
}

/** BTF of these structures, and of one `int` after them. */
function btf(structs: readonly StructType[]): Btf {
  const names = new Map([['', 0]]);
  const strings: Buffer[] = [Buffer.from('\0')];
  let end = 1;
  const nameOf = (name: string): number => {
    const known = names.get(name);
    if (known !== undefined) return known;
    const bytes = Buffer.from(`${name}\0`, 'latin1');
    names.set(name, end);
    strings.push(bytes);
    const at = end;
    end += bytes.length;
    return at;
  };
  const words = (...all: readonly number[]) => {
    const bytes = Buffer.alloc(all.length * 4);
    all.forEach((word, index) => bytes.writeUInt32LE(word, index * 4));
    return bytes;
  };
  const types = Buffer.concat([
    ...structs.flatMap(({ name, members }) => [
      words(nameOf(name), (STRUCT << 24) | members.length, 4),
      ...members.map(([member, type]) => words(nameOf(member), type, 0)),
    ]),
    words(nameOf('int'), INT << 24, 4, 32),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  header.writeUInt32LE(HEADER_BYTES, 4);
  header.writeUInt32LE(types.length, 12);
  header.writeUInt32LE(types.length, 16);
  header.writeUInt32LE(end, 20);
  return new Btf(Buffer.concat([header, types, ...strings]));
}

function failureOf(act: () => unknown): KernelError {
  try {
    act();
  } catch (error) {
    if (error instanceof KernelError) return error;
  }
  throw new Error('a KernelError');
}

it('a structure has 65,536 members at most, however they are nested', () => {
  const int = 4;
  const half = Array.from({ length: MAX_MEMBERS / 2 }, (_, index) => [`m${index}`, int] as const);
  const most = btf([
    { name: 'outer', members: [['', 2], ['', 3]] },
    { name: '', members: half.slice(1) },
    { name: '', members: half.slice(1) },
  ]); // prettier-ignore
  // anonymous structs count as well
  expect(most.members(1)).toHaveLength(MAX_MEMBERS - 2);
  const more = btf([
    { name: 'outer', members: [['', 2], ['', 3]] },
    { name: '', members: half },
    { name: '', members: half.slice(1) },
  ]); // prettier-ignore
  expect(failureOf(() => more.members(1)).message).toContain('struct outer has more than 65536 members');
});

it('few structures that hold each other many times end in an error that names the first', () => {
  const DEPTH = 18;
  const int = DEPTH + 1;
  const chain = Array.from({ length: DEPTH }, (_, level): StructType => {
    const last = level === DEPTH - 1;
    return {
      name: level === 0 ? 'sock' : '',
      members: last ? [['a', int]] : [['', level + 2], ['', level + 2]],
    };
  }); // prettier-ignore
  const error = failureOf(() => btf(chain).members(1));
  expect(error.step).toBe('layout');
  expect(error.message).toContain('struct sock has more than 65536 members');
});

it('a name has 1,024 bytes at most', () => {
  const withName = (bytes: number) => btf([{ name: 'sock', members: [['x'.repeat(bytes), 2]] }]);
  expect(withName(MAX_NAME_BYTES).members(1)[0]?.name).toHaveLength(MAX_NAME_BYTES);
  const error = failureOf(() => withName(MAX_NAME_BYTES + 1).members(1));
  expect(error.message).toContain('a name is longer than 1024 bytes');
});
