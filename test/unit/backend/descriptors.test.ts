import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { descriptors, MAX_DESCRIPTORS, socketInodes } from '../../../src/backend/netlink/descriptors.js';
import { KernelError } from '../../../src/model/kernel-error.js';

it('the descriptors of a process are named as the kernel names them', async () => {
  const before = socketInodes(descriptors(process.pid)).size;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect(socketInodes(descriptors(process.pid)).size).toBe(before + 1);
  server.close();
});

it('a process with more than 32,768 descriptors is not observed, and no more of them are read', () => {
  expect(MAX_DESCRIPTORS).toBe(32_768);
  // the descriptor of the directory itself is one of them
  const { length } = readdirSync('/proc/self/fd');
  expect(descriptors(process.pid, length + 1).length).toBeGreaterThan(1);
  expect(() => descriptors(process.pid, 2)).toThrow(KernelError);
  expect(() => descriptors(process.pid, 2)).toThrow(
    `process ${process.pid} has more than 2 descriptors, so subflowd does not read them`,
  );
  // it closes its own descriptor
  expect(readdirSync('/proc/self/fd')).toHaveLength(length);
});
