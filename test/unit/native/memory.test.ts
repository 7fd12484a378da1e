import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CommitResult,
  loadAddon,
  ReadStatus,
  type NativeTable,
  type NativeMemory,
} from '../../../src/native/addon.js';

const { PhysicalMemory } = loadAddon();
const PAGE = 4096;
/** Two ranges of RAM with a hole between them. The second one crosses the edge of a 2 MiB window. */
const RANGES = BigUint64Array.of(0x1000n, 0x3000n, 0x10_0000n, 0x30_0000n);
const BYTES = 0x30_0000;

let directory: string;
let file: string;
let memory: NativeMemory;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'memory-'));
  file = path.join(directory, 'mem');
  const bytes = Buffer.alloc(BYTES);
  for (let at = 0; at < BYTES; at += 8) bytes.writeBigUInt64LE(BigInt(at), at);
  writeFileSync(file, bytes);
});
afterEach(() => {
  memory.close();
  rmSync(directory, { recursive: true });
});

const STRUCTURE = 0x1008n;
const NO_GUARDS = guards();

/** The guards of the structure, from triples of address, mask and expected value. */
function guards(...words: readonly bigint[]): BigUint64Array {
  return BigUint64Array.of(STRUCTURE, BigInt(Math.ceil(words.length / 3)), ...words);
}

function commit(sequence: BigUint64Array, changes: BigUint64Array): number {
  return memory.commit(sequence, 0, changes);
}

function change(address: bigint, width: number, mask: number, value: number, readBack = 0): BigUint64Array {
  return BigUint64Array.of(address - STRUCTURE, ...[width, mask, value, readBack].map(BigInt));
}

/** Words as gather takes them: by offset, with a mask of all bits by default. */
function words(...wanted: readonly (readonly [offset: number, mask?: bigint])[]): BigUint64Array {
  return BigUint64Array.from(wanted.flatMap(([offset, mask = ~0n]) => [BigInt(offset), mask]));
}

/** A worker that clears the bits at 0x1018 as soon as they are set, until it is stopped. */
const OVERWRITER = `
  const { parentPort, workerData: { root, file, ranges, guards, change, stop } } = require('node:worker_threads');
  const { PhysicalMemory } = require('node-gyp-build')(root);
  const memory = new PhysicalMemory(file, ranges, 'mapped', true);
  parentPort.postMessage('writes');
  while (Atomics.load(stop, 0) === 0) memory.commit(guards, 0, change);
`;

function wordAt(address: number): bigint {
  return readFileSync(file).readBigUInt64LE(address);
}

describe.each(['mapped', 'bytes'] as const)('physical memory, %s', (access) => {
  beforeEach(() => {
    memory = new PhysicalMemory(file, RANGES, access, true);
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

  it('changes the masked bits of one byte, and no others', () => {
    const sequence = guards(0x1010n, 0xffffn, 0x1010n);
    expect(commit(sequence, change(0x1018n, 1, 0b110, 0b010))).toBe(CommitResult.changed);
    expect(wordAt(0x1018)).toBe(0x101an);
    expect(commit(sequence, change(0x1018n, 1, 0b110, 0b010))).toBe(CommitResult.unchanged);
  });

  it('uses the guards at the given index', () => {
    const stale = guards(0x1010n, 0xffffn, 0n);
    const all = BigUint64Array.of(...stale, ...guards(0x1010n, 0xffffn, 0x1010n), ...stale);
    const at = (index: number) => memory.commit(all, index * stale.length, change(0x1018n, 1, 0b110, 0b010));
    expect([at(0), wordAt(0x1018)]).toEqual([0, 0x1018n]);
    expect([at(1), wordAt(0x1018)]).toEqual([CommitResult.changed, 0x101an]);
    expect(at(2)).toBe(0);
  });

  it('writes nothing if a guard fails, and returns its index', () => {
    const sequence = guards(0x1010n, 0xffffn, 0x1010n, 0x10_0000n, 0xffn, 0x1n, 0x1020n, 0xffn, 0x0n);
    expect(commit(sequence, change(0x1018n, 1, 0b110, 0b010))).toBe(1);
    expect(wordAt(0x1018)).toBe(0x1018n);
  });

  it.each([
    ['a guard outside System RAM', guards(0x8000n, 1n, 1n), 0x1018n, 1, 1, 1, 'EGUARD'],
    ['a guard at an unaligned address', guards(0x1001n, 1n, 1n), 0x1018n, 1, 1, 1, 'EGUARD'],
    ['a guard that expects bits outside of its mask', guards(0x1010n, 1n, 2n), 0x1018n, 1, 1, 1, 'EGUARD'],
    ['a field outside System RAM', NO_GUARDS, 0x8000n, 1, 1, 1, 'ETARGET'],
    ['a field across the end of System RAM', NO_GUARDS, 0x2ffffen, 4, 1, 1, 'ETARGET'],
    ['an empty mask', NO_GUARDS, 0x1018n, 1, 0, 0, 'ETARGET'],
    ['a value beyond the mask', NO_GUARDS, 0x1018n, 1, 1, 2, 'ETARGET'],
    ['a mask beyond the unit', NO_GUARDS, 0x1018n, 1, 0x100, 0, 'ETARGET'],
    ['an unaligned unit', NO_GUARDS, 0x1019n, 2, 1, 1, 'ETARGET'],
    ['a unit of three bytes', NO_GUARDS, 0x1018n, 3, 1, 1, 'ETARGET'],
  ] as const)('refuses %s', (_, sequence, address, width, mask, value, code) => {
    expect(() => commit(sequence, change(address, width, mask, value))).toThrow(
      expect.objectContaining({ code }),
    );
    const beyond = change(0x1018n, 1, 1, 1, 2);
    expect(() => commit(NO_GUARDS, beyond)).toThrow(expect.objectContaining({ code: 'ETARGET' }));
    expect(wordAt(0x1018)).toBe(0x1018n);
  });

  it.each([2, 4] as const)('changes a unit of %i bytes only if memory is mapped', (width) => {
    const both = () => commit(NO_GUARDS, change(0x1018n, width, 0x8001, 0x8001));
    if (access === 'mapped') expect(both()).toBe(CommitResult.changed);
    else expect(both).toThrow(expect.objectContaining({ code: 'ETARGET' }));
    expect(wordAt(0x1018)).toBe(access === 'mapped' ? 0x9019n : 0x1018n);
  });

  it('makes several changes in order, and none after one that was not made', () => {
    const both = (second: bigint) =>
      BigUint64Array.from([...change(0x1018n, 1, 0b110, 0b010), ...change(second, 1, 1, 1, 1)]);
    expect(commit(NO_GUARDS, both(0x1020n))).toBe(CommitResult.changed);
    expect([wordAt(0x1018), wordAt(0x1020)]).toEqual([0x101an, 0x1021n]);
    expect(commit(NO_GUARDS, both(0x1020n))).toBe(CommitResult.unchanged);
    // this guard matches before the first change, and fails before the second one
    const sequence = guards(0x1018n, 0xffn, 0x18n);
    writeFileSync(file, readFileSync(file).fill(0x18, 0x1018, 0x1019));
    expect(commit(sequence, both(0x1028n))).toBe(0);
    expect([wordAt(0x1018), wordAt(0x1028)]).toEqual([0x101an, 0x1028n]);
  });

  it('reports that somebody else overwrote the bits', async () => {
    const root = path.resolve(import.meta.dirname, '../../..');
    const back = change(0x1018n, 1, 0b111, 0);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const rival = new Worker(OVERWRITER, {
      eval: true,
      workerData: { root, file, ranges: RANGES, guards: NO_GUARDS, change: back, stop },
    });
    try {
      await once(rival, 'message');
      const seen = new Set<number>();
      const end = performance.now() + 100_000;
      while (seen.size < 2 && performance.now() < end) {
        for (let i = 0; i < 1000; i++) seen.add(commit(NO_GUARDS, change(0x1018n, 1, 0b111, 0b111, 0b001)));
        seen.delete(CommitResult.unchanged);
      }
      expect([...seen].sort()).toEqual([CommitResult.changed, CommitResult.overwritten]);
    } finally {
      Atomics.store(stop, 0, 1);
      await once(rival, 'exit');
    }
  }, 120_000);

  it('throws an error with a code after it was closed', () => {
    memory.close();
    expect(() => memory.readPhysical(0x1000n, new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'ECLOSED' }),
    );
  });
});

describe('physical memory refuses', () => {
  beforeEach(() => {
    memory = new PhysicalMemory(file, RANGES, 'bytes', false);
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
    memory = new PhysicalMemory(file, RANGES, 'mapped', true);
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
