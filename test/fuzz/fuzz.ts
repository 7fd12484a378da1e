import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { checkout } from '../lab/checkout.js';
import { mutated } from './mutation.js';
import type { FuzzTarget } from './target.js';

/** Longest time that reading one input may take, milliseconds. Inputs have up to 256 KiB, and a busy machine can stand still. */
const MAX_MS = 5_000;

/** What came of fuzzing one target. */
export interface FuzzResult {
  readonly cases: number;
  /** Milliseconds of the slowest case. */
  readonly slowestMs: number;
  /** The smallest failing input that was found, and what was wrong. */
  readonly failure?: { readonly input: Buffer; readonly reason: string };
}

/** The inputs that were found to fail once, of a target. */
export function corpus({ name }: FuzzTarget): Buffer[] {
  const directory = corpusDirectory(name);
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(directory, entry.name)));
}

function corpusDirectory(name: string): string {
  const directory = path.join(checkout, 'test/fuzz/corpus', name);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Keeps an input in the corpus. @returns its path in the checkout. */
export function keep({ name }: FuzzTarget, input: Buffer): string {
  const hash = createHash('sha256').update(input).digest('hex').slice(0, 16);
  const file = path.join(corpusDirectory(name), hash);
  writeFileSync(file, input);
  return path.relative(checkout, file);
}

/** Reads one input. @throws {Error} if that throws an error which is not allowed, or takes too long. */
export function tryInput({ read, refusals }: FuzzTarget, input: Buffer): number {
  const start = performance.now();
  try {
    read(input);
  } catch (error) {
    if (!refusals.some((refusal) => error instanceof refusal)) throw error;
  }
  const took = performance.now() - start;
  if (took > MAX_MS) throw new Error(`it took ${Math.round(took)} ms`);
  return took;
}

/** Tries many inputs. The same seed gives the same inputs. */
export function fuzz(target: FuzzTarget, cases: number, seed: number): FuzzResult {
  let slowestMs = 0;
  let count = 0;
  const found = fc.check(
    fc.property(mutated([...target.seeds(), ...corpus(target)], target.words), (input) => {
      count += 1;
      slowestMs = Math.max(slowestMs, tryInput(target, input));
    }),
    { numRuns: cases, seed },
  );
  const [input] = found.counterexample ?? [];
  return {
    cases: count,
    slowestMs,
    ...(input && { failure: { input, reason: String(found.errorInstance) } }),
  };
}
