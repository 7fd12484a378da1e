import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../../src/util/lines.js';

/** Bytes with both kinds of line end, and with divided and invalid characters. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('\n', '\r\n', '\r', '\r\r\n', 'a', 'ö', '😀', '').map((piece) => Buffer.from(piece)),
      fc.uint8Array({ maxLength: 4 }).map((piece) => Buffer.from(piece)),
    ),
  )
  .map((pieces) => Buffer.concat(pieces));

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...at.map((end) => end % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

describe('a stream of bytes', () => {
  it('gives the same lines, however it is divided into chunks', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat()), (bytes, at) => {
        const splitter = new LineSplitter(bytes.length);
        const lines = cut(bytes, at).flatMap((chunk) => splitter.push(chunk));
        const ends = [...bytes.entries()].filter(([, byte]) => byte === 10).map(([index]) => index);
        const expected = ends.map((end, index) => {
          const line = bytes.subarray((ends[index - 1] ?? -1) + 1, end).toString();
          return line.endsWith('\r') ? line.slice(0, -1) : line;
        });
        expect(lines).toEqual(expected);
        expect(splitter.rest).toBe(bytes.subarray((ends.at(-1) ?? -1) + 1).toString());
      }),
    );
  });

  it('is refused if a line is longer than allowed, and only then', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat()), fc.nat(12), (bytes, at, most) => {
        const splitter = new LineSplitter(most);
        const push = () => cut(bytes, at).flatMap((chunk) => splitter.push(chunk));
        const lengths = bytes
          .toString('latin1')
          .split('\n')
          .map((line) => line.length);
        if (Math.max(...lengths) > most) expect(push).toThrow(RangeError);
        else expect(push).not.toThrow();
      }),
    );
  });
});
