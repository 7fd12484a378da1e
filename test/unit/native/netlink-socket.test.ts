import { closeSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAddon, type NativeNetlinkSocket } from '../../../src/native/addon.js';
import { until } from '../../support/until.js';

const NETLINK_USERSOCK = 2;
const NETLINK_GENERIC = 16;
/** CTRL_CMD_GETFAMILY for the controller of generic netlink, which every kernel has. */
const REQUEST = Buffer.from('1c000000100001000100000000000000030100000600010010000000', 'hex');

const { NetlinkSocket } = loadAddon();
let socket: NativeNetlinkSocket;

beforeEach(() => {
  socket = new NetlinkSocket(NETLINK_GENERIC, undefined);
});
afterEach(() => {
  socket.close();
});

const root = createRequire(import.meta.url)
  .resolve('subflowd/package.json')
  .replace(/\/[^/]*$/, '');
/** The code of a program that watches a socket, and then has nothing to do. */
const WATCH = `
  const { NetlinkSocket } = require('node-gyp-build')(${JSON.stringify(root)});
  globalThis.kept = new NetlinkSocket(${NETLINK_GENERIC}, undefined);
  globalThis.kept.onReadable(() => undefined);`;

/** Runs code in another process. */
async function node(code: string) {
  return execa(process.execPath, ['-e', code], { timeout: 20_000, cwd: root });
}

describe('a netlink socket', () => {
  it('sends a request to the kernel and receives the reply at once', () => {
    expect(socket.receive(new Uint8Array(16))).toBeUndefined();
    socket.send(REQUEST);
    const answer = Buffer.alloc(4096);
    const length = socket.receive(answer) as number;
    expect(length).toBe(answer.readUInt32LE(0));
    expect(answer.subarray(0, length).includes('nlctrl\0')).toBe(true);
    expect(socket.receive(answer)).toBeUndefined();
  });

  it('returns the length of a datagram that was too long, and loses no later datagram', () => {
    socket.send(REQUEST);
    const short = Buffer.alloc(8);
    expect(socket.receive(short)).toBe(short.readUInt32LE(0));
    expect(socket.receive(short)).toBeUndefined();
  });

  it('calls back as long as there is a reply, and not after it was closed', async () => {
    let calls = 0;
    socket.onReadable(() => {
      calls++;
      if (calls % 3 === 0) socket.receive(new Uint8Array(1));
    });
    socket.send(REQUEST);
    await until('three calls', () => calls === 3);
    socket.send(REQUEST);
    await until('three more', () => calls === 6);
    socket.send(REQUEST);
    socket.close();
    // no event shows that a closed socket calls nothing
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).toBe(6);
  });

  it('can be closed by its callback', async () => {
    const called = new Promise<void>((resolve) => {
      socket.onReadable(() => {
        socket.close();
        resolve();
      });
    });
    socket.send(REQUEST);
    await called;
    expect(() => socket.receive(new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'ECLOSED' }) as Error,
    );
  });

  it('discards a datagram from another process', async () => {
    const own = new NetlinkSocket(NETLINK_USERSOCK, undefined);
    const rows = readFileSync('/proc/self/net/netlink', 'utf8')
      .split('\n')
      .map((line) => line.split(/\s+/));
    // The columns are sk, protocol, address. The kernel uses the PID as address if it is free.
    const addresses = rows
      .filter(([, protocol]) => protocol === `${NETLINK_USERSOCK}`)
      .map((row) => Number(row[2]));
    for (const to of addresses) {
      const code = `import socket; s = socket.socket(16, socket.SOCK_RAW, ${NETLINK_USERSOCK}); s.sendto(b'x' * 20, (${to}, 0))`;
      await execa('python3', ['-c', code], { reject: to === process.pid });
    }
    expect(addresses).toContain(process.pid);
    expect(own.receive(new Uint8Array(64))).toBeUndefined();
    own.close();
  });

  it('does not keep a process or a worker running', async () => {
    expect(await node(WATCH)).toMatchObject({ exitCode: 0, stderr: '' });
    const worker = `new (require('node:worker_threads').Worker)(${JSON.stringify(WATCH)}, { eval: true })`;
    expect(await node(`${worker}.on('exit', (code) => console.log('worker', code))`)).toMatchObject({
      exitCode: 0,
      stdout: 'worker 0',
      stderr: '',
    });
  });

  it('throws errors with a code for refusals of the system and for wrong arguments', () => {
    const codeOf = (act: () => unknown) => {
      try {
        act();
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? (error as Error).name;
      }
      return undefined;
    };
    expect(codeOf(() => new NetlinkSocket(99, undefined))).toBe('EPROTONOSUPPORT');
    const file = openSync('/dev/null', 'r');
    // not a namespace; without the capability to enter one, EPERM comes first
    expect(['EINVAL', 'EPERM']).toContain(codeOf(() => new NetlinkSocket(NETLINK_GENERIC, file)));
    closeSync(file);
    expect(codeOf(() => new NetlinkSocket(NETLINK_GENERIC, 1_000_000))).toBe('EBADF');
    expect(
      codeOf(() => {
        socket.join(0);
      }),
    ).toBe('EINVAL');
    const AnyNetlinkSocket = NetlinkSocket as unknown as new (
      ...args: unknown[]
    ) => Record<string, (...args: unknown[]) => unknown>;
    expect(codeOf(() => new AnyNetlinkSocket())).toBe('TypeError');
    expect(codeOf(() => new AnyNetlinkSocket('16', undefined))).toBe('TypeError');
    const methods = socket as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const method of ['join', 'send', 'receive', 'onReadable']) {
      expect(codeOf(() => methods[method]?.call(socket))).toBe('TypeError');
      expect(codeOf(() => methods[method]?.call(socket, 'text'))).toBe('TypeError');
    }
    socket.onReadable(() => undefined);
    expect(
      codeOf(() => {
        socket.onReadable(() => undefined);
      }),
    ).toBe('TypeError');
  });
});
