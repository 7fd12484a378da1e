import { expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES, MessageReader } from '../../../../src/openvpn/management/message-reader.js';

it('accepts a real-time message of 256 KiB with its variables, and refuses a longer one', () => {
  const first = '>CLIENT:ESTABLISHED,1';
  const last = '>CLIENT:ENV,END';
  const fill = (bytes: number) => `>CLIENT:ENV,x=${'x'.repeat(bytes - first.length - last.length - 16)}`;
  const read = (bytes: number) => {
    const reader = new MessageReader();
    return [first, fill(bytes), last].map((line) => reader.push(line)).at(-1);
  };
  expect(read(MAX_MESSAGE_BYTES)).toHaveLength(3);
  expect(() => read(MAX_MESSAGE_BYTES + 1)).toThrow('a real-time message longer than 262144 bytes');
});
