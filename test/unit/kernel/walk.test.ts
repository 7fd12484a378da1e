import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubflowName } from '../../../src/model/subflow.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { mptcpOf } from '../../../src/kernel/walk/mptcp-implementations.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage } from '../../support/kernel-image.js';
import type { ImageOptions } from '../../support/kernel-image-types.js';
import { ALL_LAYOUTS, SAFE_ACCESSES } from '../../support/layouts.js';
import { setPriority } from '../../support/set-priority.js';

const ON_LTE: SubflowName = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };
const ON_WIFI: SubflowName = { ...ON_LTE, remote: WIFI };

let image: KernelImage;
let backend: DevmemBackend | undefined;

afterEach(async () => {
  await backend?.close();
  backend = undefined;
  image.remove();
});

async function open(access: 'mapped' | 'bytes' = 'mapped', writable = true): Promise<DevmemBackend> {
  backend = new DevmemBackend(await openKernel(image.sources(), { access, writable, layout: image.layout }));
  return backend;
}

describe.each(ALL_LAYOUTS)('%s', (_, layout) => {
  beforeEach(() => {
    image = new KernelImage(layout);
  });

  /** Where the bits of both priorities and of MP_PRIO lie, and why they cannot be written. */
  async function bitsOf(access: 'mapped' | 'bytes') {
    const kernel = await openKernel(image.sources(), { access, layout });
    const { bits } = mptcpOf(kernel);
    kernel.memory.close();
    return bits;
  }

  /** The result of changes() if these bits of a subflow are inverted. */
  function flipped(context: bigint, ...bits: readonly { readonly bitOffset: number }[]) {
    const bytes = new Map<number, number>();
    for (const { bitOffset } of bits) {
      const at = Number(image.physical(context)) + (bitOffset >>> 3);
      bytes.set(at, (bytes.get(at) ?? image.bytes.readUInt8(at)) ^ (1 << (bitOffset & 7)));
    }
    return [...bytes].sort(([a], [b]) => a - b).map(([at, after]) => [at, image.bytes[at], after]);
  }

  const ways = SAFE_ACCESSES.filter((way) => way.layout === layout).map(({ access }) => access);
  describe.each(ways)('through memory that is %s', (access) => {
    it('finds a connection and its subflows among other files', async () => {
      const udp = image.socket({ protocol: 17, local: SERVER, remote: WIFI });
      const listener = image.socket({ ...ALICE, state: 10, subflows: [] });
      const { peers } = await bitsOf(access);
      const [first, second] = ALICE.subflows ?? [];
      if (!first || !second) throw new Error('alice has two subflows');
      const alice = image.socket({ ...ALICE, subflows: [first, { ...second, bits: [peers.name], id: 255 }] });
      image.task(PID, [image.plainFile(), 0n, udp.file, listener.file, alice.file]);
      const hasMember = (member: string) => layout.has('tcp_sock', member);
      const counters = (number: number) => ({
        rtt: number * 1000,
        ...(hasMember('bytes_acked') && { bytesAcked: number * 2 ** 40, bytesReceived: number }),
        retransmitted: number + 7,
        ...(hasMember('packets_out') && { unacked: number + 20, backoff: number }),
      });
      for (const [index, sk] of alice.socks.entries()) {
        image.place(sk, 'tcp_sock', 'srtt_us', BigInt((index + 1) * 8000));
        image.place(sk, 'tcp_sock', 'total_retrans', BigInt(index + 8));
        if (hasMember('packets_out')) {
          image.place(sk, 'tcp_sock', 'packets_out', BigInt(index + 21));
          image.place(sk, 'tcp_sock', 'inet_conn.icsk_backoff', BigInt(index + 1));
        }
        if (!hasMember('bytes_acked')) continue;
        image.place(sk, 'tcp_sock', 'bytes_acked', BigInt(index + 1) << 40n);
        image.place(sk, 'tcp_sock', 'bytes_received', BigInt(index + 1));
      }
      const { connections, plain, problems } = await (await open(access)).connections(PID);
      expect(problems).toEqual([]);
      expect(plain).toEqual([]);
      const common = { local: SERVER, ours: 'active', mpPrioPending: false };
      expect(connections).toEqual([
        {
          pid: PID,
          local: SERVER,
          remote: WIFI,
          token: 0xdeadbeef,
          subflows: [
            { ...common, remote: WIFI, peers: 'active', id: 0, ...counters(1) },
            { ...common, remote: LTE, peers: 'backup', id: 255, ...counters(2) },
          ],
        },
      ]);
    });

    it('writes our priority, asks for MP_PRIO where that is safe, and changes no other bit', async () => {
      const alice = image.socket(ALICE);
      image.task(PID, [image.plainFile(), alice.file]);
      const { ours, sendMpPrio, cannotNotifyReason } = await bitsOf(access);
      const backend = await open(access);
      await backend.connections(PID);
      const canNotify = cannotNotifyReason === undefined;
      const lte = alice.contexts[1] as bigint;
      expect(await setPriority(backend, ON_LTE, 'backup')).toMatchObject({
        outcome: 'committed',
        isMpPrioRequested: canNotify,
      });
      expect(image.changes()).toEqual(flipped(lte, ours, ...(canNotify ? [sendMpPrio] : [])));
      expect((await backend.connections(PID)).connections[0]?.subflows[1]).toMatchObject({
        ours: 'backup',
        peers: 'active',
        mpPrioPending: canNotify,
      });

      await setPriority(backend, ON_LTE, 'active');
      expect(image.changes()).toEqual(canNotify ? flipped(lte, sendMpPrio) : []);
    });

    it('writes nothing if the priority is already set', async () => {
      image.task(PID, [image.socket(ALICE).file]);
      const backend = await open(access);
      await backend.connections(PID);
      expect((await setPriority(backend, ON_WIFI, 'backup')).outcome).toBe('committed');
      const once = image.changes();
      expect((await setPriority(backend, ON_WIFI, 'backup')).outcome).toBe('unchanged');
      expect(image.changes()).toEqual(once);
    });

    it("overrides the client's priority only on request, and where that is safe", async () => {
      const { peers, sendMpPrio, cannotOverrideReason } = await bitsOf(access);
      const alice = image.socket({
        ...ALICE,
        subflows: [
          { local: SERVER, remote: WIFI },
          { local: SERVER, remote: LTE, bits: [peers.name, sendMpPrio.name] },
        ],
      });
      image.task(PID, [alice.file]);
      const backend = await open(access);
      await backend.connections(PID);
      expect(await setPriority(backend, ON_LTE, 'active')).toMatchObject({ outcome: 'unchanged' });
      expect(image.changes()).toEqual([]);
      const result = await setPriority(backend, ON_LTE, 'active', { overridePeer: true });
      if (cannotOverrideReason === undefined) {
        expect(result.outcome).toBe('committed');
        expect(image.changes()).toEqual(flipped(alice.contexts[1] as bigint, peers));
      } else {
        expect(result).toMatchObject({
          outcome: 'refused',
          reason: expect.stringContaining('nopat') as string,
        });
        expect(image.changes()).toEqual([]);
      }
    });

    it('needs no walk for a subflow that was found before, and reads only its guards', async () => {
      const others = Array.from({ length: 50 }, (_, i) =>
        image.socket({ ...ALICE, remote: { ...WIFI, port: 1024 + i } }),
      );
      image.task(PID, [...others.map(({ file }) => file), image.socket(ALICE).file]);
      const kernel = await openKernel(image.sources(), { access, layout });
      backend = new DevmemBackend(kernel);
      await backend.connections(PID);
      const walked = kernel.memory.reads;
      await setPriority(backend, ON_WIFI, 'backup');
      const first = kernel.memory.reads - walked;
      await setPriority(backend, ON_WIFI, 'active');
      const second = kernel.memory.reads - walked - first;
      // the guards and the field, and once the four-tuples for the trail; an observation reads much more for the 50 others
      expect(second).toBeLessThanOrEqual(40);
      expect(first - second).toBeLessThanOrEqual(4);
    });
  });

  it('reads IPv6 and v4-mapped addresses', async () => {
    const v6 = { address: '2001:db8:100::2', port: 5000 };
    const local = { address: '2001:db8::1', port: 1194 };
    const files = [
      image.socket({ local, remote: v6, subflows: [{ local, remote: v6 }] }),
      image.socket({ ...ALICE, mapped: true, subflows: [{ local: SERVER, remote: WIFI, mapped: true }] }),
    ];
    image.task(
      PID,
      files.map(({ file }) => file),
    );
    const backend = await open();
    const { connections } = await backend.connections(PID);
    expect(connections.map(({ remote, subflows }) => [remote, subflows[0]?.remote])).toEqual([
      [v6, v6],
      [WIFI, WIFI],
    ]);
    const name = { pid: PID, connection: v6, local, remote: v6 };
    expect((await setPriority(backend, name, 'backup')).outcome).toBe('committed');
  });

  it('reports plain TCP', async () => {
    image.task(PID, [image.socket({ protocol: 6, local: SERVER, remote: WIFI }).file]);
    const { connections, plain } = await (await open()).connections(PID);
    expect(connections).toEqual([]);
    expect(plain).toEqual([{ pid: PID, remote: WIFI }]);
  });

  describe('what is wrong ends in an error that names the step, and writes nothing', () => {
    afterEach(() => {
      expect(image.changes()).toEqual([]);
    });

    it('a process that does not exist', async () => {
      await expect((await open()).connections(PID)).rejects.toThrow(/^task: there is no process 4321/);
    });

    it('a list of tasks that does not close', async () => {
      const task = image.allocate(4096);
      image.setWord(image.at(task, 'task_struct', 'tasks'), image.at(task, 'task_struct', 'tasks'));
      // init_task's next leads to a task whose next is itself
      image.setWord(image.at(image.initTask, 'task_struct', 'tasks'), image.at(task, 'task_struct', 'tasks'));
      await expect(open()).rejects.toThrow(/^address translation: no candidate .* does not close/);
    });

    it.each([
      ['a cycle in the list of subflows', 'does not close'],
      ['a list of subflows with a wild pointer', 'cannot be read'],
    ])('%s', async (what, message) => {
      const [bad, good] = [image.socket(ALICE), image.socket({ ...ALICE, remote: LTE })];
      const [first, second] = bad.links as [(typeof bad.links)[0], (typeof bad.links)[0]];
      image.setWord(second.link, what.startsWith('a cycle') ? first.node : 0xdead_0000_0000_0122n);
      image.task(PID, [bad.file, good.file]);
      const { connections, problems } = await (await open()).connections(PID);
      // the other connection is not affected
      expect(connections.map(({ remote }) => remote)).toEqual([LTE]);
      expect(problems).toEqual([expect.stringContaining(message)]);
    });

    it('an fd table of an impossible size', async () => {
      const array = image.task(PID, [image.plainFile()]);
      for (let at = 0x20_0000; at < image.bytes.length - 16; at += 8) {
        if (image.bytes.readBigUInt64LE(at + 8) === array) image.bytes.writeUInt32LE(0xffff_ffff, at);
      }
      await expect((await open()).connections(PID)).rejects.toThrow(/^fd table: max_fds is 4294967295/);
    });

    it('a subflow that does not exist', async () => {
      image.task(PID, [image.socket(ALICE).file]);
      const backend = await open();
      await backend.connections(PID);
      const unknown = { ...ON_LTE, remote: { ...LTE, port: 1 } };
      expect(await setPriority(backend, unknown, 'backup')).toMatchObject({ outcome: 'gone' });
      expect(await setPriority(backend, { ...ON_LTE, pid: 1 }, 'backup')).toMatchObject({ outcome: 'gone' });
    });

    it('memory opened for reading only', async () => {
      image.task(PID, [image.socket(ALICE).file]);
      const backend = await open('mapped', false);
      await backend.connections(PID);
      expect(await setPriority(backend, ON_LTE, 'backup')).toMatchObject({ outcome: 'refused' });
    });

    it('a /proc/iomem without addresses', async () => {
      const sources = { ...image.sources(), iomem: '/dev/null' };
      await expect(openKernel(sources, { layout })).rejects.toThrow(
        /^memory: \/proc\/iomem shows no addresses/,
      );
    });
  });

  describe('opens a kernel with any arrangement of memory and symbols:', () => {
    const directMaps: Record<string, ImageOptions> = {
      'at 0xffff888000000000': {},
      'at 0xffff880000000000': { directMap: { base: 0xffff_8800_0000_0000n, levels: 4 } },
      'at 0xff11000000000000, five levels': { directMap: { base: 0xff11_0000_0000_0000n, levels: 5 } },
      'at 0xff10000000000000, five levels': { directMap: { base: 0xff10_0000_0000_0000n, levels: 5 } },
      randomised: { directMap: { base: 0xffff_9a3c_4000_0000n, levels: 4 }, isRandomised: true },
      'randomised, five levels': {
        directMap: { base: 0xff2b_7f00_c000_0000n, levels: 5 },
        isRandomised: true,
      },
    };
    const kallsyms = {
      'kallsyms of everything': 'all',
      'kallsyms of code only': 'code',
      'kallsyms of zeros': 'zeros',
    } as const;

    for (const [where, options] of Object.entries(directMaps)) {
      for (const [what, shown] of Object.entries(kallsyms)) {
        for (const vmalloc of [undefined, 'small', 'huge'] as const) {
          it(`direct map ${where}; ${what}; fd table in ${vmalloc === undefined ? 'the direct map' : `vmalloc space, ${vmalloc} pages`}`, async () => {
            image.remove();
            image = new KernelImage(layout, { ...options, kallsyms: shown });
            image.task(PID, [image.plainFile(), image.socket(ALICE).file], {
              ...(vmalloc !== undefined && { vmalloc }),
            });
            const sources = image.sources();
            backend = new DevmemBackend(await openKernel(sources, { layout: sources.layout }));
            expect(backend.proof).toBe(
              `the direct map at 0x${image.options.directMap.base.toString(16)}, ` +
                `${image.options.directMap.levels} page-table levels: the list of 2 tasks closes and contains PID 1`,
            );
            expect((await backend.connections(PID)).connections).toHaveLength(1);
            expect((await setPriority(backend, ON_LTE, 'backup')).outcome).toBe('committed');
          });
        }
      }
    }
  });
});
