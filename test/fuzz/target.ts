/** A part of subflowd that reads what somebody else wrote. */
export interface FuzzTarget {
  /** Also the name of its directory in test/fuzz/corpus. */
  readonly name: string;
  /** Right inputs, which the fuzzer changes. */
  readonly seeds: () => readonly Buffer[];
  /** Text that means something in an input. */
  readonly words: readonly string[];
  /** The errors that a wrong input may cause. */
  readonly refusals: readonly (abstract new (...args: never[]) => Error)[];
  /** Reads an input, and throws if a result breaks a promise of the part. */
  readonly read: (input: Buffer) => void;
}

/** @throws {Error} naming the promise. */
export function must(isTrue: boolean, promise: string): void {
  if (!isTrue) throw new Error(`this does not hold: ${promise}`);
}
