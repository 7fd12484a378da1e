import fc from 'fast-check';

/** One change of an input. Positions are taken modulo the length, so that each change fits every input. */
type Mutation =
  | { readonly kind: 'set'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number; readonly times: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number };

/** Numbers at the bounds of the sizes that a parser may use, lowest byte first. */
const NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff].map((number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return new Uint8Array(bytes);
});

/** Longest input, bytes. */
const MAX_BYTES = 256 * 1024;

function mutation(words: readonly string[]): fc.Arbitrary<Mutation> {
  const at = fc.nat(MAX_BYTES);
  const length = fc.oneof({ weight: 4, arbitrary: fc.nat(16) }, fc.nat(4_096));
  const bytes = fc.oneof(
    fc.constantFrom(...NUMBERS),
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc.constantFrom(...words.map((word) => new Uint8Array(Buffer.from(word)))),
  );
  return fc.oneof(
    fc.record({ kind: fc.constant('set'), at, bytes }),
    fc.record({ kind: fc.constant('insert'), at, bytes }),
    fc.record({ kind: fc.constant('remove'), at, length }),
    fc.record({ kind: fc.constant('repeat'), at, length, times: fc.nat(64) }),
    fc.record({ kind: fc.constant('flip'), at, bit: fc.nat(7) }),
  );
}

function mutate(input: Buffer, change: Mutation): Buffer {
  const at = change.at % (input.length + 1);
  const before = input.subarray(0, at);
  switch (change.kind) {
    case 'set':
      return Buffer.concat([before, change.bytes, input.subarray(at + change.bytes.length)]);
    case 'insert':
      return Buffer.concat([before, change.bytes, input.subarray(at)]);
    case 'remove':
      return Buffer.concat([before, input.subarray(at + change.length)]);
    case 'repeat': {
      const part = input.subarray(at, at + change.length);
      const copies = Array.from({ length: change.times }, () => part);
      return Buffer.concat([before, ...copies, input.subarray(at)]).subarray(0, MAX_BYTES);
    }
    case 'flip': {
      const changed = Buffer.from(input);
      const byte = changed[at];
      if (byte !== undefined) changed[at] = byte ^ (1 << change.bit);
      return changed;
    }
  }
}

/**
 * Inputs that are nearly right: a known one with some changes. fast-check makes a failing one as small as it can.
 * @param seeds known inputs.
 * @param words text that means something to the reader of the input.
 */
export function mutated(seeds: readonly Buffer[], words: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation(words), { maxLength: 6 }))
    .map(([seed, changes]) => changes.reduce(mutate, seed));
}
