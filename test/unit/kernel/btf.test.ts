import { expect, it } from 'vitest';
import { Btf, MAX_MEMBERS, MAX_NAME_BYTES } from '../../../src/kernel/layout/btf.js';
import { KernelError } from '../../../src/model/kernel-error.js';
import { btfBytes, type StructType } from '../../support/btf-bytes.js';

function btf(structs: readonly StructType[]): Btf {
  return new Btf(btfBytes(structs));
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
