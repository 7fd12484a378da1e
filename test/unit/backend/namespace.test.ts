import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/backend/netlink/namespace.js';

const NOBODY = 65534;

it('a network namespace does not contain a process that is gone, or that we may not read', () => {
  const namespace = NetworkNamespace.openFor('self');
  try {
    expect(namespace.contains(process.pid)).toBe(true);
    // larger than any PID of a kernel
    expect(namespace.contains(2 ** 22 + 1)).toBe(false);
    process.seteuid?.(NOBODY);
    expect(() => statSync('/proc/1/ns/net')).toThrow('EACCES');
    expect(namespace.contains(1)).toBe(false);
  } finally {
    process.seteuid?.(0);
    namespace.close();
  }
});
