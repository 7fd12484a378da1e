import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubflowName } from '../../../src/backend/backend.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import { LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage, type ImageSocket } from '../../support/kernel_image.js';
import { LINUX_6_1 } from '../../support/layouts.js';

const ALICE: ImageSocket = {
  protocol: 262,
  local: SERVER,
  remote: WIFI,
  token: 0xdeadbeef,
  subflows: [
    { local: SERVER, remote: WIFI },
    { local: SERVER, remote: LTE, bits: ['backup', 'map_valid'] },
  ],
};
const ON_LTE: SubflowName = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };
const ON_WIFI: SubflowName = { ...ON_LTE, remote: WIFI };

let image: KernelImage;
let backend: DevmemBackend | undefined;

beforeEach(() => {
  image = new KernelImage(LINUX_6_1);
});
afterEach(async () => {
  await backend?.close();
  backend = undefined;
  image.remove();
});

async function open(access: 'mapped' | 'bytes' = 'mapped'): Promise<DevmemBackend> {
  backend = new DevmemBackend(await openKernel(image.sources(), { access, layout: LINUX_6_1 }));
  return backend;
}

describe.each(['mapped', 'bytes'] as const)('through memory that is %s', (access) => {
  it('finds a connection and its subflows among other files', async () => {
    const udp = image.socket({ protocol: 17, local: SERVER, remote: WIFI });
    const listener = image.socket({ ...ALICE, state: 10, subflows: [] });
    image.task(PID, [image.plainFile(), 0n, udp.file, listener.file, image.socket(ALICE).file]);
    const { connections, plain, problems } = await (await open(access)).connections(PID);
    expect(problems).toEqual([]);
    expect(plain).toEqual([]);
    expect(connections).toEqual([
      {
        pid: PID,
        local: SERVER,
        remote: WIFI,
        token: 0xdeadbeef,
        subflows: [
          { local: SERVER, remote: WIFI, ours: 'active', peers: 'active', mpPrioPending: false },
          { local: SERVER, remote: LTE, ours: 'active', peers: 'backup', mpPrioPending: false },
        ],
      },
    ]);
  });

  it('writes our wish, asks for MP_PRIO where it safely can, and changes no other bit', async () => {
    const alice = image.socket(ALICE);
    image.task(PID, [image.plainFile(), alice.file]);
    const backend = await open(access);
    await backend.connections(PID);
    const tells = access === 'mapped';
    expect(await backend.setPriority(ON_LTE, 'backup')).toMatchObject({
      outcome: 'committed',
      peerAsked: tells,
    });
    const flags = Number(image.physical(alice.contexts[1] as bigint)) + 96;
    // mp_join, fully_established, pm_notified; request_bkup comes to it
    const request = [flags, 0b0111_0000, 0b0111_0100];
    // map_valid, backup; send_mp_prio comes to it
    const tell = [flags + 1, 0b0001_0001, 0b0011_0001];
    expect(image.changes()).toEqual(tells ? [request, tell] : [request]);
    expect((await backend.connections(PID)).connections[0]?.subflows[1]).toMatchObject({
      ours: 'backup',
      mpPrioPending: tells,
    });

    await backend.setPriority(ON_LTE, 'active');
    expect(image.changes()).toEqual(tells ? [tell] : []);
  });

  it('does nothing twice', async () => {
    image.task(PID, [image.socket(ALICE).file]);
    const backend = await open(access);
    await backend.connections(PID);
    expect((await backend.setPriority(ON_WIFI, 'backup')).outcome).toBe('committed');
    const once = image.changes();
    expect((await backend.setPriority(ON_WIFI, 'backup')).outcome).toBe('unchanged');
    expect(image.changes()).toEqual(once);
  });

  it('needs no walk for a session that is located: only its guards are read again', async () => {
    const others = Array.from({ length: 50 }, (_, i) =>
      image.socket({ ...ALICE, remote: { ...WIFI, port: 1024 + i } }),
    );
    image.task(PID, [...others.map(({ file }) => file), image.socket(ALICE).file]);
    const kernel = await openKernel(image.sources(), { access, layout: LINUX_6_1 });
    backend = new DevmemBackend(kernel);
    await backend.connections(PID);
    const walked = kernel.memory.reads;
    await backend.setPriority(ON_WIFI, 'backup');
    const first = kernel.memory.reads - walked;
    await backend.setPriority(ON_WIFI, 'active');
    const second = kernel.memory.reads - walked - first;
    // the trail's ends are looked at once, and a commit's field is read back; 50 other sessions cost nothing
    expect(first).toBeLessThanOrEqual(3);
    expect(second).toBe(1);
  });

  it.each(['small', 'huge'] as const)('finds an fd table in vmalloc space, %s pages', async (vmalloc) => {
    image.task(PID, [image.plainFile(), image.socket(ALICE).file], { vmalloc });
    const backend = await open(access);
    expect((await backend.connections(PID)).connections).toHaveLength(1);
    expect((await backend.setPriority(ON_LTE, 'backup')).outcome).toBe('committed');
  });
});

it('reads IPv6 and v4-mapped addresses', async () => {
  const v6 = { address: '2001:db8:100::2', port: 5000 };
  const files = [
    image.socket({
      protocol: 262,
      local: { address: '2001:db8::1', port: 1194 },
      remote: v6,
      subflows: [{ local: { address: '2001:db8::1', port: 1194 }, remote: v6 }],
    }),
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
  const name = { pid: PID, connection: v6, local: { address: '2001:db8::1', port: 1194 }, remote: v6 };
  expect((await backend.setPriority(name, 'backup')).outcome).toBe('committed');
});

it('tells plain TCP and connections that fell back to it', async () => {
  const tcp = image.socket({ protocol: 6, local: SERVER, remote: WIFI });
  const fallen = image.socket({ ...ALICE, remote: LTE, subflows: [{ local: SERVER, remote: LTE }] });
  const flags = Number(image.physical(fallen.contexts[0] as bigint)) + 96;
  image.bytes[flags] = 0b0110_0000; // neither mp_capable nor mp_join
  image.task(PID, [tcp.file, fallen.file]);
  const { connections, plain } = await (await open()).connections(PID);
  expect(connections).toEqual([]);
  expect(plain).toEqual([
    { pid: PID, remote: WIFI },
    { pid: PID, remote: LTE },
  ]);
});

describe('what is wrong ends in an error that names the step, and writes nothing', () => {
  afterEach(() => {
    expect(image.changes()).toEqual([]);
  });

  it('a process that is not there', async () => {
    await expect((await open()).connections(PID)).rejects.toThrow(/^task: there is no process 4321/);
  });

  it('a ring of tasks that does not close', async () => {
    const task = image.allocate(2048);
    image.setWord(image.at(task, 'task_struct', 'tasks'), image.at(task, 'task_struct', 'tasks'));
    // init_task's next leads to a task whose next is itself
    const initTask = 0xffff_ffff_9c00_1000n;
    image.setWord(image.at(initTask, 'task_struct', 'tasks'), image.at(task, 'task_struct', 'tasks'));
    await expect(open()).rejects.toThrow(/^address translation: no candidate .* does not close/);
  });

  it.each([
    ['a cycle in the list of subflows', 'does not close'],
    ['a list of subflows that leads out of memory', 'leads out of memory'],
  ])('%s', async (what, message) => {
    const [bad, good] = [image.socket(ALICE), image.socket({ ...ALICE, remote: LTE })];
    const [first, second] = bad.contexts as [bigint, bigint];
    image.setWord(second, what.startsWith('a cycle') ? first : 0xdead_0000_0000_0122n);
    image.task(PID, [bad.file, good.file]);
    const { connections, problems } = await (await open()).connections(PID);
    // the other connection is served all the same
    expect(connections.map(({ remote }) => remote)).toEqual([LTE]);
    expect(problems).toEqual([expect.stringContaining(message)]);
  });

  it('an fd table of an impossible size', async () => {
    const array = image.task(PID, [image.plainFile()]);
    for (let at = 0x20_0000; at < image.bytes.length - 16; at += 8) {
      if (image.bytes.readBigUInt64LE(at + 8) === array) image.bytes.writeUInt32LE(0xffff_ffff, at);
    }
    await expect((await open()).connections(PID)).rejects.toThrow(/^fd table: it claims 4294967295/);
  });

  it('a subflow that nobody has', async () => {
    image.task(PID, [image.socket(ALICE).file]);
    const backend = await open();
    await backend.connections(PID);
    const nobody = { ...ON_LTE, remote: { ...LTE, port: 1 } };
    expect(await backend.setPriority(nobody, 'backup')).toMatchObject({ outcome: 'gone' });
    expect(await backend.setPriority({ ...ON_LTE, pid: 1 }, 'backup')).toMatchObject({ outcome: 'gone' });
  });

  it('memory opened for reading only', async () => {
    image.task(PID, [image.socket(ALICE).file]);
    const kernel = await openKernel(image.sources(), {
      access: 'mapped',
      writable: false,
      layout: LINUX_6_1,
    });
    backend = new DevmemBackend(kernel);
    await backend.connections(PID);
    expect(await backend.setPriority(ON_LTE, 'backup')).toMatchObject({ outcome: 'refused' });
  });

  it('a /proc/iomem without addresses', async () => {
    const sources = image.sources();
    await expect(openKernel({ ...sources, iomem: '/dev/null' }, { layout: LINUX_6_1 })).rejects.toThrow(
      /^memory: \/proc\/iomem shows no addresses/,
    );
  });

  it('a kallsyms without addresses (kptr_restrict)', async () => {
    await expect(
      openKernel({ ...image.sources(), kallsyms: '/dev/null' }, { layout: LINUX_6_1 }),
    ).rejects.toMatchObject({ step: 'symbols', remedy: expect.stringContaining('kptr_restrict') as string });
  });

  it('a kernel without BTF', async () => {
    await expect(openKernel(image.sources())).rejects.toMatchObject({
      step: 'layout',
      remedy: expect.stringContaining('CONFIG_DEBUG_INFO_BTF') as string,
    });
  });
});
