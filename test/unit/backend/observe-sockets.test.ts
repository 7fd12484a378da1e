import { describe, expect, it } from 'vitest';
import { tcpSockets } from '../../../src/backend/netlink/diag.js';
import { NetlinkError } from '../../../src/backend/netlink/netlink-error.js';
import { observeServer } from '../../../src/backend/netlink/observe-server.js';
import { observeSockets, type ObservedConnection } from '../../../src/backend/netlink/observe-sockets.js';
import { RequestSocket } from '../../../src/backend/netlink/socket.js';
import * as recorded from '../../support/netlink-messages.js';
import { generator, SEED } from '../../support/random.js';
import { answer, codeOf, numbered, refusal, ScriptedKernel } from '../../support/scripted-kernel.js';

const TOKEN = 3700815572;
const INODE = 855774;
const PID = 4321;
const SERVER = { address: '192.168.110.2', port: 1194 };
/** Number of mutations; the environment variable MUTATIONS changes it. */
const ROUNDS = Number(process.env.MUTATIONS ?? 5_000);
/** Where META_V4 has `mptcpi_flags`, bytes. */
const META_V4_FLAGS = 136;
const MPTCP_INFO_FLAG_FALLBACK = 1;
const META = [answer(recorded.META_V4), answer(recorded.META_V6)];
const TCP = [answer(recorded.TCP_V4), answer(recorded.TCP_V6)];
const wholeLook = () => new ScriptedKernel(...META, ...TCP);

describe('an observation of a server', () => {
  const again = (
    kernel: ScriptedKernel,
    inodes: number[],
    port: number,
    last?: ReturnType<typeof observeServer>,
  ) => observeServer(kernel.socket(), PID, new Set(inodes), { listeners: [], ports: new Set([port]) }, last);
  const lookTwice = () => new ScriptedKernel(...META, ...TCP, ...META, ...TCP);

  it('covers all ports the first time, and then the ports that the server listens on', () => {
    const first = again(wholeLook(), [INODE], SERVER.port);
    expect(first.ports).toEqual(new Set([SERVER.port]));
    const kernel = lookTwice();
    expect(again(kernel, [INODE], SERVER.port, first)).toEqual(first);
    expect(kernel.requests).toHaveLength(4);
    // a further socket, which the first four dumps do not show
    const more = lookTwice();
    const third = again(more, [INODE, 1], SERVER.port, first);
    expect(more.requests).toHaveLength(8);
    const once = lookTwice();
    again(once, [INODE, 1], SERVER.port, third);
    expect(once.requests).toHaveLength(4);
  });

  it('covers all ports while a connection is on a port that the server does not listen on', () => {
    const first = again(wholeLook(), [INODE], SERVER.port + 1);
    expect(first.connections).toHaveLength(1);
    expect(first.ports).toBeUndefined();
    const kernel = lookTwice();
    expect(again(kernel, [INODE], SERVER.port + 1, first)).toEqual(first);
    expect(kernel.requests).toHaveLength(4);
    expect(again(lookTwice(), [], SERVER.port + 1, first).ports).toEqual(new Set([SERVER.port + 1]));
  });
});

describe('observeSockets', () => {
  it('distinguishes a connection that fell back to plain TCP from one that never was MPTCP', () => {
    const [v4 = [], ...others] = META;
    const fallen = v4.map((datagram) => Buffer.from(datagram));
    fallen[0]?.writeUInt32LE(MPTCP_INFO_FLAG_FALLBACK, META_V4_FLAGS);
    const kernel = new ScriptedKernel(fallen, ...others, ...TCP);
    const { connections, plain } = observeSockets(kernel.socket(), PID, new Set([INODE]));
    expect(connections).toEqual([]);
    const remote = { address: '192.168.100.2', port: 57506 };
    expect(plain).toEqual([{ pid: PID, remote, fellBack: true }]);
  });

  it('joins meta-sockets and subflows of a process', () => {
    const { connections, plain } = observeSockets(wholeLook().socket(), PID, new Set([INODE]));
    expect(plain).toEqual([]);
    expect(connections.map(({ connection }) => connection)).toEqual([
      {
        pid: PID,
        token: TOKEN,
        local: SERVER,
        remote: { address: '192.168.100.2', port: 57506 },
        subflows: [
          expect.objectContaining({ id: 0, remote: { address: '192.168.100.2', port: 57506 }, rtt: 5735 }),
          expect.objectContaining({
            id: 1,
            remote: { address: '192.168.200.2', port: 44859 },
            bytesAcked: 108,
          }),
        ],
      },
    ]);
  });

  it('ignores sockets of other processes', () => {
    expect(observeSockets(wholeLook().socket(), PID, new Set([1]))).toEqual({
      connections: [],
      plain: [],
      waiting: [],
      portOf: new Map(),
    });
  });

  it('finds connections that the process has not accepted yet, by the address where it listens', () => {
    const [dump, done] = answer(recorded.META_V4) as [Buffer, Buffer];
    const unaccepted = Buffer.from(dump);
    unaccepted.writeUInt32LE(0, 16 + 68);
    const lookAt = (address: string, port = SERVER.port, ...metas: readonly Buffer[]) =>
      observeSockets(
        new ScriptedKernel(metas, answer(recorded.META_V6), ...TCP).socket(),
        PID,
        new Set([1]),
        [],
        {
          listeners: [{ address, port, inode: 1 }],
          ports: undefined,
        },
      );
    for (const address of [SERVER.address, '0.0.0.0', '::']) {
      const { connections, plain, waiting } = lookAt(address, SERVER.port, unaccepted, done);
      expect([connections, plain]).toEqual([[], []]);
      expect(waiting.map(({ connection }) => connection)).toMatchObject([
        { pid: PID, token: TOKEN, subflows: [{ id: 0 }, { id: 1 }] },
      ]);
    }
    expect(lookAt('192.168.110.3', SERVER.port, unaccepted, done).waiting).toEqual([]);
    expect(lookAt(SERVER.address, 443, unaccepted, done).waiting).toEqual([]);
    // the socket of another process
    expect(lookAt(SERVER.address, SERVER.port, dump, done).waiting).toEqual([]);
  });

  it('returns the same object for an unchanged connection, and a new one otherwise', () => {
    const [dump, done] = answer(recorded.TCP_V4) as [Buffer, Buffer];
    const changed = Buffer.from(dump);
    changed.writeUInt32LE(INODE + 1, 16 + 68); // of the first socket
    const socket = new ScriptedKernel(
      ...[...META, ...TCP, ...META, ...TCP],
      ...[...META, [changed, done], TCP[1] as Buffer[]],
    ).socket();
    const own = (before?: ObservedConnection[]) =>
      observeSockets(socket, PID, new Set([INODE]), before).connections[0];
    const first = own();
    if (!first) throw new Error('there is a connection');
    expect(own([first])).toBe(first);
    const third = own([first]);
    expect(third?.connection).toEqual(first.connection);
    expect(third?.connection).not.toBe(first.connection);
    expect(third?.sockets[0]).toEqual({ ...first.sockets[0], inode: INODE + 1 });
    expect(third?.sockets[0]?.remote).toBe(first.sockets[0]?.remote);
    expect(third?.sockets[1]).toBe(first.sockets[1]);
  });

  it('reads an answer from one or several datagrams, and ignores answers to other requests', () => {
    const [dump, done] = answer(recorded.TCP_V4) as [Buffer, Buffer];
    const first = dump.subarray(0, dump.readUInt32LE(0));
    const second = dump.subarray(dump.readUInt32LE(0));
    const kernel = new ScriptedKernel(
      [first, second, done],
      TCP[1] as Buffer[],
      [Buffer.concat([dump, done])],
      TCP[1] as Buffer[],
    );
    const socket = kernel.socket();
    expect(tcpSockets(socket)).toEqual(tcpSockets(socket));

    // keeps its own sequence number: the end of an earlier dump
    const foreign = new RequestSocket(() => {
      const waiting = [...answer(recorded.TCP_V4).map((one) => numbered(one, 0xffffffff)), refusal(1)];
      let sequence = 0;
      return {
        join: () => undefined,
        onReadable: () => undefined,
        close: () => undefined,
        send: (bytes) => (sequence = Buffer.from(bytes).readUInt32LE(8)),
        receive: (out) => {
          const next = waiting.shift();
          if (!next) return undefined;
          (waiting.length === 0 ? numbered(next, sequence) : next).copy(out);
          return next.length;
        },
      };
    });
    expect(codeOf(() => tcpSockets(foreign))).toBe('EPERM');
  });

  it('opens a new socket after lost datagrams, no answer, or a datagram that is too large', () => {
    const [dump] = answer(recorded.TCP_V4) as [Buffer];
    const kernel = new ScriptedKernel([dump, { code: 'ENOBUFS' }], [dump], [Buffer.alloc(70_000)], ...TCP);
    const socket = kernel.socket();
    expect(codeOf(() => tcpSockets(socket))).toBe('ENOBUFS');
    expect(codeOf(() => tcpSockets(socket))).toBe('EAGAIN');
    expect(codeOf(() => tcpSockets(socket))).toBe('EBADMSG');
    expect(tcpSockets(socket)).toHaveLength(2);
    expect([kernel.opened, kernel.closed]).toEqual([4, 3]);
  });

  it('throws an error that says so if an answer is truncated, at every length', () => {
    const [dump, done] = answer(recorded.TCP_V4) as [Buffer, Buffer];
    for (let length = 1; length < dump.length; length++) {
      // an answer of complete messages is shorter, not broken
      if (length === dump.readUInt32LE(0)) continue;
      const kernel = new ScriptedKernel([dump.subarray(0, length), done], ...TCP);
      expect(
        codeOf(() => tcpSockets(kernel.socket())),
        `${length} bytes`,
      ).toBe('EBADMSG');
    }
  });

  it('returns sockets or throws an error that says why, whatever the answer is', { timeout: 60_000 }, () => {
    const next = generator(SEED);
    const random = (below: number) => Math.floor(below * next());
    let ended = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const scripts = [...META, ...TCP].map((datagrams) =>
        datagrams.map((datagram) => {
          const copy = Buffer.from(datagram);
          for (let left = random(4); left > 0; left--) copy[random(copy.length)] = random(256);
          return random(10) === 0 ? copy.subarray(0, random(copy.length + 1)) : copy;
        }),
      );
      try {
        observeSockets(new ScriptedKernel(...scripts).socket(), PID, new Set([INODE]));
        ended++;
      } catch (error) {
        if (!(error instanceof NetlinkError))
          throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
      }
    }
    expect(ended).toBeGreaterThan(0);
  });
});
