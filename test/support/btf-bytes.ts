const HEADER_BYTES = 24;
const STRUCT = 4;
const INT = 1;

/** A structure in {@link btfBytes}. */
export interface StructType {
  readonly name: string;
  /** Each member with the id of its type. Ids count from 1, in the order in which the structures are written. */
  readonly members: readonly (readonly [name: string, type: number])[];
}

/** BTF of these structures, and of one `int` after them. */
export function btfBytes(structs: readonly StructType[]): Buffer {
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
  return Buffer.concat([header, types, ...strings]);
}
