import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { loadAddon, type NativeMemory } from '../../../src/native/addon.js';

export const { PhysicalMemory } = loadAddon();
/** Two ranges of RAM with a hole between them. The second one crosses the edge of a 2 MiB window. */
export const RANGES = BigUint64Array.of(0x1000n, 0x3000n, 0x10_0000n, 0x30_0000n);
export const BYTES = 0x30_0000;

export let directory: string;
/** The memory: each word contains its own address. */
export let file: string;
/** What {@link openMemory} opened. The end of the test closes it. */
export let memory: NativeMemory;

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

export function openMemory(access: 'mapped' | 'bytes', writes: boolean): void {
  memory = new PhysicalMemory(file, RANGES, access, writes);
}

export const STRUCTURE = 0x1008n;
export const NO_GUARDS = guards();

/** The guards of the structure, from triples of address, mask and expected value. */
export function guards(...words: readonly bigint[]): BigUint64Array {
  return BigUint64Array.of(STRUCTURE, BigInt(Math.ceil(words.length / 3)), ...words);
}

export function commit(sequence: BigUint64Array, changes: BigUint64Array): number {
  return memory.commit(sequence, 0, changes);
}

export function change(
  address: bigint,
  width: number,
  mask: number,
  value: number,
  readBack = 0,
): BigUint64Array {
  return BigUint64Array.of(address - STRUCTURE, ...[width, mask, value, readBack].map(BigInt));
}

/** Words as gather takes them: by offset, with a mask of all bits by default. */
export function words(...wanted: readonly (readonly [offset: number, mask?: bigint])[]): BigUint64Array {
  return BigUint64Array.from(wanted.flatMap(([offset, mask = ~0n]) => [BigInt(offset), mask]));
}

export function wordAt(address: number): bigint {
  return readFileSync(file).readBigUInt64LE(address);
}
