import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, it } from 'vitest';
import { CommitResult } from '../../../src/native/addon.js';
import {
  change,
  commit,
  file,
  guards,
  memory,
  NO_GUARDS,
  openMemory,
  RANGES,
  wordAt,
} from './memory-file.js';

/** Somebody who takes the bits at 0x1018 back as fast as they are set, until told to stop. */
const RIVAL = `
  const { parentPort, workerData: { root, file, ranges, guards, change, stop } } = require('node:worker_threads');
  const { PhysicalMemory } = require('node-gyp-build')(root);
  const memory = new PhysicalMemory(file, ranges, 'mapped', true);
  parentPort.postMessage('writes');
  while (Atomics.load(stop, 0) === 0) memory.commit(guards, 0, change);
`;

describe.each(['mapped', 'bytes'] as const)('a commit to physical memory, %s', (access) => {
  beforeEach(() => {
    openMemory(access, true);
    memory.setLinearMap(BigUint64Array.of(0xffff_0000_0000_0000n, 0xffff_0000_0030_0000n, 0n));
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
    const rival = new Worker(RIVAL, {
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
});
