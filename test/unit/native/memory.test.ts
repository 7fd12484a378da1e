import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ReadStatus, type NativeTable } from '../../../src/native/addon.js';
import {
  BYTES,
  change,
  commit,
  directory,
  file,
  guards,
  memory,
  NO_GUARDS,
  openMemory,
  PhysicalMemory,
  RANGES,
  STRUCTURE,
  wordAt,
  words,
} from './memory-file.js';

const PAGE = 4096;

describe.each(['mapped', 'bytes'] as const)('physical memory, %s', (access) => {
  beforeEach(() => {
    openMemory(access, true);
    memory.setLinearMap(BigUint64Array.of(0xffff_0000_0000_0000n, 0xffff_0000_0030_0000n, 0n));
  });

  it('reports its kind of access', () => {
    expect(memory.access).toBe(access);
  });

  it('reads only System RAM', () => {
    const read = (address: bigint, length: number) => memory.readPhysical(address, new Uint8Array(length));
    expect(read(0x1000n, 0x2000)).toBe(true);
    expect(read(0xfffn, 1)).toBe(false);
    expect(read(0x2fffn, 2)).toBe(false);
    expect(read(0x3000n, 1)).toBe(false);
    expect(read(0x2f_ffffn, 2)).toBe(false);
    expect(read(0xffff_ffff_ffff_fff8n, 16)).toBe(false);
  });

  it('reads across two windows and at unaligned addresses', () => {
    const out = new Uint8Array(37);
    expect(memory.readPhysical(0x1f_fff3n, out)).toBe(true);
    expect(Buffer.from(out)).toEqual(readFileSync(file).subarray(0x1f_fff3, 0x1f_fff3 + 37));
  });

  it('gathers many structures at once and reports which could not be read', () => {
    const base = 0xffff_0000_0000_0000n;
    const addresses = BigUint64Array.of(
      base + 0x1008n,
      0n,
      base + 0x4000n,
      base + 0x10_0010n,
      base + 0x2f_fff8n,
      // misaligned
      base + 0x1009n,
    );
    const [rows, status] = [new BigUint64Array(6 * 2).fill(~0n), new Uint8Array(6)];
    expect(memory.gather(addresses, words([-8]), rows, status)).toBe(6);
    expect([...status]).toEqual([
      ReadStatus.changed,
      ReadStatus.untranslated,
      ReadStatus.unreadable,
      ReadStatus.changed,
      ReadStatus.changed,
      ReadStatus.untranslated,
    ]);
    expect([rows[1], rows[7], rows[9]]).toEqual([0x1000n, 0x10_0008n, 0x2f_fff0n]);
    expect([...rows.subarray(2, 6), ...rows.subarray(10)]).toEqual([0n, 0n, 0n, 0n, 0n, 0n]);
    expect(rows[8]).toBe(base + 0x2f_fff8n);
  });

  it('gathers words in any order, also across two windows, with their masks', () => {
    const address = 0x1f_ffe0n;
    const [rows, status] = [new BigUint64Array(5), new Uint8Array(1)];
    memory.setLinearMap(BigUint64Array.of(0n, 0x30_0000n, 0n));
    const mask = 0x00ff_ff00_0000_0ff0n;
    const wanted = words([0x20], [-0x10], [0x18, mask], [0x28]);
    expect(memory.gather(BigUint64Array.of(address), wanted, rows, status)).toBe(1);
    const word = (offset: number) => wordAt(Number(address) + offset);
    expect([...rows]).toEqual([address, word(0x20), word(-0x10), word(0x18) & mask, word(0x28)]);
  });

  it('gathers one table after the other, each with its own status', () => {
    memory.setLinearMap(BigUint64Array.of(0n, 0x30_0000n, 0n));
    const addresses = BigUint64Array.of(0x1008n, 0x10_0000n);
    const table = () => [new BigUint64Array(2 * 2), new Uint8Array(2)] as const;
    const [[ones, ofOnes], [others, ofOthers]] = [table(), table()];
    const gather = () =>
      memory.gather(addresses, words([8]), ones, ofOnes, addresses, words([-8]), others, ofOthers);
    // there is no RAM before the second structure
    expect(gather()).toBe(4);
    expect([...ones]).toEqual([0x1008n, 0x1010n, 0x10_0000n, 0x10_0008n]);
    expect([...others]).toEqual([0x1008n, 0x1000n, 0n, 0n]);
    writeFileSync(file, readFileSync(file).fill(7, 0x1000, 0x1001));
    expect(gather()).toBe(2);
    expect([...ofOnes]).toEqual([ReadStatus.unchanged, ReadStatus.unchanged]);
    expect([...ofOthers]).toEqual([ReadStatus.changed, ReadStatus.unreadable]);
  });

  it('reports rows as unchanged that have the same address and the same masked words', () => {
    memory.setLinearMap(BigUint64Array.of(0n, 0x30_0000n, 0n));
    const addresses = BigUint64Array.of(0x1008n, 0x2000n, 0x8000n, 0x10_0000n);
    const table = [addresses, words([0, 0xffffn]), new BigUint64Array(4 * 2), new Uint8Array(4)] as const;
    const gather = () => {
      const before = table.map((part) => [...part]);
      const isUnchanged = memory.isUnchanged(...table);
      expect(table.map((part) => [...part])).toEqual(before);
      memory.gather(...table);
      return [isUnchanged, ...table[3]];
    };
    const { changed, unchanged: same, unreadable } = ReadStatus;
    gather();
    // a row that could not be read both times is unchanged
    expect(gather()).toEqual([true, same, same, unreadable, same]);
    commit(NO_GUARDS, change(0x1008n, 1, 0b100, 0b100));
    // a bit outside of the mask
    commit(NO_GUARDS, change(0x2002n, 1, 0b100, 0b100));
    expect(gather()).toEqual([false, changed, same, unreadable, same]);
    commit(NO_GUARDS, change(0x2002n, 1, 0b100, 0));
    expect(gather()).toEqual([true, same, same, unreadable, same]);
    addresses[2] = 0x1010n;
    expect(gather()).toEqual([false, same, same, changed, same]);
    addresses[3] = 0x8000n;
    expect(gather()).toEqual([false, same, same, same, unreadable]);
    // unreadable for another reason
    addresses[3] = 0n;
    expect(gather()).toEqual([true, same, same, same, unreadable]);
    addresses[3] = 0x10_0000n;
    expect(gather()).toEqual([false, same, same, same, changed]);
    // another address with the same contents
    writeFileSync(file, readFileSync(file).fill(7));
    expect(gather()).toEqual([false, changed, changed, changed, changed]);
    addresses[0] = 0x1018n;
    expect(gather()).toEqual([false, changed, same, same, same]);
  });

  it('reports whether several tables are unchanged', () => {
    memory.setLinearMap(BigUint64Array.of(0n, 0x30_0000n, 0n));
    const table = (address: bigint) =>
      [BigUint64Array.of(address), words([0]), new BigUint64Array(2), new Uint8Array(1)] as const;
    const [one, other] = [table(0x1008n), table(0x2000n)];
    expect(memory.gather(...one, ...other)).toBe(2);
    expect(memory.isUnchanged(...one, ...other)).toBe(true);
    commit(NO_GUARDS, change(0x2000n, 1, 1, 1));
    expect(memory.isUnchanged(...one)).toBe(true);
    expect(memory.isUnchanged(...one, ...other)).toBe(false);
    expect(memory.isUnchanged()).toBe(true);
  });

  it('throws an error with a code after it was closed', () => {
    memory.close();
    expect(() => memory.readPhysical(0x1000n, new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'ECLOSED' }),
    );
  });
});

describe('physical memory refuses', () => {
  beforeEach(() => {
    openMemory('bytes', false);
  });

  it.each([
    ['a missing file', () => [path.join(directory, 'none'), RANGES], 'EOPEN'],
    ['a directory', () => [directory, RANGES], 'EOPEN'],
    ['ranges that overlap', () => [file, BigUint64Array.of(0n, 0x2000n, 0x1000n, 0x3000n)], 'ERANGES'],
    ['no whole page', () => [file, BigUint64Array.of(0x1001n, 0x1fffn)], 'ERANGES'],
    ['a file shorter than its ranges', () => [file, BigUint64Array.of(0n, BigInt(BYTES + PAGE))], 'ERANGES'],
  ] as const)('%s', (_, what, code) => {
    const [name, ranges] = what() as [string, BigUint64Array];
    expect(() => new PhysicalMemory(name, ranges, 'auto', true)).toThrow(expect.objectContaining({ code }));
  });

  it('a commit to memory that was opened for reading only', () => {
    expect(() => commit(NO_GUARDS, change(0x1018n, 1, 1, 1))).toThrow(
      expect.objectContaining({ code: 'ETARGET' }),
    );
  });

  it('wrong arguments, with a TypeError', () => {
    expect(() => memory.readPhysical(1 as unknown as bigint, new Uint8Array(1))).toThrow(TypeError);
    expect(() => commit(NO_GUARDS, BigUint64Array.of(1n))).toThrow(TypeError);
    // no address; no number of guards; an incomplete guard; too large a number of guards
    const endless = BigUint64Array.of(STRUCTURE, (1n << 64n) - 1n, 0x1010n, 0n, 0n);
    for (const sequence of [
      new BigUint64Array(0),
      BigUint64Array.of(STRUCTURE),
      guards(0x1010n, 0n),
      endless,
    ]) {
      expect(() => commit(sequence, change(0x1018n, 1, 1, 1))).toThrow(TypeError);
    }
    for (const at of [1, 2, -1, 2 ** 32 - 1, 'nowhere' as never]) {
      expect(() => memory.commit(NO_GUARDS, at, change(0x1018n, 1, 1, 1))).toThrow(TypeError);
    }
    expect(() => commit(new Uint8Array(24) as never, NO_GUARDS)).toThrow(TypeError);
    expect(() => commit(NO_GUARDS, 1 as never)).toThrow(TypeError);
    const tables = (pairs: readonly bigint[], words: number, rows: number) => {
      const table = [
        new BigUint64Array(2),
        BigUint64Array.from(pairs),
        new BigUint64Array(words),
        new Uint8Array(rows),
      ] as const;
      return [() => memory.gather(...table), () => memory.isUnchanged(...table)];
    };
    for (const call of tables([0n, 1n], 4, 2)) expect(call).not.toThrow();
    const wrong = [
      tables([0n, 1n], 3, 2),
      tables([0n, 1n], 4, 1),
      tables([], 4, 2),
      tables([0n], 4, 2),
      tables([4n, 1n], 4, 2),
      tables([1n << 21n, 1n], 4, 2),
    ];
    for (const call of wrong.flat()) expect(call).toThrow(TypeError);
    const half = [new BigUint64Array(1), new BigUint64Array(2), new BigUint64Array(2)] as never[];
    expect(() => memory.gather(...(half as unknown as NativeTable))).toThrow(TypeError);
    expect(() => memory.isUnchanged(...half)).toThrow(TypeError);
    expect(() => {
      memory.setLinearMap(new BigUint64Array(2));
    }).toThrow(TypeError);
  });
});

describe('walkList', () => {
  beforeEach(() => {
    openMemory('mapped', true);
    memory.setLinearMap(BigUint64Array.of(0n, 0x30_0000n, 0n));
  });

  it('ends at the limit on a list that is not closed, and at memory that cannot be read', () => {
    // each word of the file points to itself: a cycle of one node
    const visited = new BigUint64Array(10);
    const out = new Uint8Array(80);
    expect(memory.walkList(0x1000n, 8, 0, 8, out, visited)).toEqual({ count: 10, end: 'limit' });
    expect(memory.walkList(0x8000n, 0, 0, 8, out, visited)).toEqual({ count: 0, end: 'unreadable' });
    expect(memory.walkList(0x1000n, 0, 0, 8, out, visited)).toEqual({ count: 0, end: 'closed' });
  });
});
