import { describe, expect, it } from 'vitest';
import { addressText, writeAddress } from '../../../src/backend/netlink/address.js';

describe('an address', () => {
  const bytesOf = (text: string, size: number) => {
    const bytes = Buffer.alloc(size);
    writeAddress(text, bytes, 0);
    return bytes;
  };

  it.each([
    ['192.0.2.1', 4],
    ['0.0.0.0', 4],
    ['255.255.255.255', 4],
    ['2001:db8::1', 16],
    ['::1', 16],
  ])('%s is read back from its bytes', (text, size) => {
    expect(addressText(bytesOf(text, size))).toBe(text);
  });

  it('is the IPv4 address if it is an IPv4-mapped IPv6 one', () => {
    expect(addressText(bytesOf('::ffff:192.0.2.1', 16))).toBe('192.0.2.1');
  });
});
