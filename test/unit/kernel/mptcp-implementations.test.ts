import { afterEach, describe, expect, it } from 'vitest';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import { Layout, type LayoutData } from '../../../src/kernel/layout/layout.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage } from '../../support/kernel-image.js';
import {
  LINUX_4_14_MPTCP,
  LINUX_6_1,
  LINUX_6_12,
  MULTIPATH_TCP_ORG,
  UPSTREAM,
} from '../../support/layouts.js';
import { setPriority } from '../../support/set-priority.js';

const ON_LTE = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };

let image: KernelImage | undefined;
let backend: DevmemBackend | undefined;

afterEach(async () => {
  await backend?.close();
  backend = undefined;
  image?.remove();
});

/** @param layout by default that of the image. */
async function open(access: 'mapped' | 'bytes' = 'mapped', layout?: Layout): Promise<DevmemBackend> {
  if (!image) throw new Error('no image');
  const { layout: own } = image;
  backend = new DevmemBackend(await openKernel(image.sources(), { access, layout: layout ?? own }));
  return backend;
}

/** A copy of a layout with some differences. */
function changed(
  { data }: Layout,
  change: Partial<LayoutData> | ((data: LayoutData) => Partial<LayoutData>),
): Layout {
  return new Layout({ ...data, ...(typeof change === 'function' ? change(data) : change) });
}

/** A copy of a layout without these members and bit fields. */
function without(layout: Layout, ...names: readonly string[]): Layout {
  const { fields, bits } = layout.data;
  return new Layout({
    fields: Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))),
    bits: Object.fromEntries(
      Object.entries(bits).map(([struct, all]) => [
        struct,
        all.filter(({ name }) => !names.includes(`${struct}.${name}`)),
      ]),
    ),
  });
}

const fallenBack = {
  pid: PID,
  remote: LTE,
  fellBack: true,
  fellBackSince: expect.any(Number) as number,
};

describe.each([
  ['Linux 6.1', 4],
  ['Linux 6.12', 2],
] as const)('%s', (kernel, bit) => {
  it('has MPTCP_FALLBACK_DONE in the flags of a connection that fell back after its handshake', async () => {
    image = new KernelImage(UPSTREAM[kernel] as Layout);
    const fallen = image.socket({ ...ALICE, remote: LTE, subflows: [{ local: SERVER, remote: LTE }] });
    image.task(PID, [fallen.file]);
    const opened = await open();
    for (let flag = 0; flag < 8; flag++) {
      image.place(fallen.sk, 'mptcp_sock', 'flags', 1n << BigInt(flag));
      image.write();
      const { connections, plain } = await opened.connections(PID);
      expect([connections.length, plain]).toEqual(flag === bit ? [0, [fallenBack]] : [1, []]);
    }
  });

  it('shows a connection that fell back as MPTCP if the layout has no flags', async () => {
    const layout = UPSTREAM[kernel] as Layout;
    image = new KernelImage(layout);
    const fallen = image.socket(ALICE);
    image.place(fallen.sk, 'mptcp_sock', 'flags', 0xffn);
    image.task(PID, [fallen.file]);
    const { connections, plain } = await (
      await open('mapped', without(layout, 'mptcp_sock.flags'))
    ).connections(PID);
    expect([connections.length, plain]).toEqual([1, []]);
  });
});

describe.each(Object.entries(UPSTREAM))('%s', (_, layout) => {
  it('is recognised as upstream, and a connection without either handshake counts as plain TCP', async () => {
    image = new KernelImage(layout);
    const fallen = image.socket({ ...ALICE, remote: LTE, subflows: [{ local: SERVER, remote: LTE }] });
    image.place(fallen.contexts[0] as bigint, 'mptcp_subflow_context', 'mp_join', 0n);
    image.task(PID, [fallen.file]);
    const { connections, plain } = await (await open()).connections(PID);
    expect(connections).toEqual([]);
    expect(plain).toEqual([fallenBack]);
    expect(backend?.kind).toMatch(/^upstream, /);
  });
});

describe.each(Object.entries(MULTIPATH_TCP_ORG))('%s', (_, layout) => {
  it('is recognised as multipath-tcp.org, and a connection with an infinite mapping counts as plain TCP', async () => {
    for (const bit of ['infinite_mapping_rcv', 'infinite_mapping_snd', 'send_infinite_mapping']) {
      image = new KernelImage(layout);
      const fallen = image.socket({ ...ALICE, remote: LTE, subflows: [{ local: SERVER, remote: LTE }] });
      image.place(image.word(image.at(fallen.sk, 'tcp_sock', 'mpcb')), 'mptcp_cb', bit, 1n);
      image.task(PID, [fallen.file]);
      const { connections, plain } = await (await open()).connections(PID);
      expect(connections).toEqual([]);
      expect(plain).toEqual([fallenBack]);
      expect(backend?.kind).toMatch(
        /^multipath-tcp\.org, whose scheduler honours our priority and the client's/,
      );
      await backend?.close();
      image.remove();
    }
    image = undefined;
  });

  it('reports a socket whose mptcp_cb belongs to another meta-socket as a problem', async () => {
    image = new KernelImage(layout);
    const [alice, other] = [image.socket(ALICE), image.socket({ ...ALICE, remote: LTE })];
    image.place(other.sk, 'tcp_sock', 'mpcb', image.word(image.at(alice.sk, 'tcp_sock', 'mpcb')));
    image.task(PID, [alice.file, other.file]);
    const { connections, problems } = await (await open()).connections(PID);
    expect(connections.map(({ remote }) => remote)).toEqual([WIFI]);
    expect(problems).toEqual([expect.stringContaining('its mptcp_cb belongs to another meta-socket')]);
  });

  it('makes no byte-wise write while the client closes the connection', async () => {
    image = new KernelImage(layout);
    const alice = image.socket(ALICE);
    image.place(alice.contexts[1] as bigint, 'mptcp_tcp_sock', 'map_data_fin', 1n);
    image.task(PID, [alice.file]);
    await (await open('bytes')).connections(PID);
    expect(await setPriority(backend, ON_LTE, 'backup')).toMatchObject({ outcome: 'gone' });
    expect(image.changes()).toEqual([]);
  });

  it('makes no byte-wise write on a kernel with CONFIG_HARDENED_USERCOPY', async () => {
    image = new KernelImage(layout, { symbols: { usercopy_abort: 0x9100n } });
    await expect(open('bytes')).rejects.toMatchObject({
      step: 'field',
      message: expect.stringContaining('CONFIG_HARDENED_USERCOPY') as string,
      remedy: expect.stringContaining('nopat') as string,
    });
    await expect(open('mapped')).resolves.toBeDefined();
  });
});

describe('an older scheduler of upstream, which honours the client’s priority alone', () => {
  const layout = without(LINUX_6_1, 'mptcp_subflow_request_sock.request_bkup');
  const CONTEXT = 'mptcp_subflow_context';

  function bits(context: bigint): Record<string, boolean> {
    const memory = image?.reread() ?? Buffer.alloc(0);
    return Object.fromEntries(
      ['request_bkup', 'backup', 'send_mp_prio'].map((name) => {
        const { bitOffset } = layout.bits(CONTEXT, name);
        const byte = memory[Number(image?.physical(context)) + (bitOffset >>> 3)] as number;
        return [name, ((byte >>> (bitOffset & 7)) & 1) === 1];
      }),
    );
  }

  /** Changes a bit as the kernel does when the client sends its priority, or when the kernel has sent ours. */
  function kernelWrites(context: bigint, name: string, value: bigint): void {
    image?.load();
    image?.place(context, CONTEXT, name, value);
    image?.write();
  }

  it('is recognised by its structures and reported to the admin', async () => {
    image = new KernelImage(layout);
    expect((await open()).kind).toMatch(
      /honours the client's priority alone .*: subflowd writes ours there as well/,
    );
  });

  it('gets our priority in the client’s bit as well, and no longer has it when ours is active', async () => {
    image = new KernelImage(layout);
    const alice = image.socket(ALICE);
    image.task(PID, [alice.file]);
    const lte = alice.contexts[1] as bigint;
    await (await open()).connections(PID);
    expect(await setPriority(backend, ON_LTE, 'backup')).toMatchObject({
      outcome: 'committed',
      isMpPrioRequested: true,
    });
    expect(bits(lte)).toEqual({ request_bkup: true, backup: true, send_mp_prio: true });
    const seen = async () => (await backend?.connections(PID))?.connections[0]?.subflows[1];
    expect(await seen()).toMatchObject({ ours: 'backup', peers: 'active' });
    kernelWrites(lte, 'send_mp_prio', 0n);
    await setPriority(backend, ON_LTE, 'active');
    expect(bits(lte)).toEqual({ request_bkup: false, backup: false, send_mp_prio: true });
    expect(await seen()).toMatchObject({ ours: 'active', peers: 'active' });
  });

  it('restores the client’s priority when ours is active again', async () => {
    image = new KernelImage(layout);
    const alice = image.socket({
      ...ALICE,
      subflows: [
        { local: SERVER, remote: WIFI },
        { local: SERVER, remote: LTE, bits: ['backup'] },
      ],
    });
    image.task(PID, [alice.file]);
    const lte = alice.contexts[1] as bigint;
    await open();
    const seen = async () => (await backend?.connections(PID))?.connections[0]?.subflows[1];
    expect(await seen()).toMatchObject({ ours: 'active', peers: 'backup' });
    await setPriority(backend, ON_LTE, 'backup');
    expect(await seen()).toMatchObject({ ours: 'backup', peers: 'backup' });
    await setPriority(backend, ON_LTE, 'active');
    expect(bits(lte)).toMatchObject({ request_bkup: false, backup: true });
    expect(await seen()).toMatchObject({ ours: 'active', peers: 'backup' });
    await setPriority(backend, ON_LTE, 'active', { overridePeer: true });
    expect(bits(lte)).toMatchObject({ request_bkup: false, backup: false });
  });

  it('counts our priority as active once the client cleared its bit', async () => {
    image = new KernelImage(layout);
    const alice = image.socket(ALICE);
    image.task(PID, [alice.file]);
    const lte = alice.contexts[1] as bigint;
    await (await open()).connections(PID);
    await setPriority(backend, ON_LTE, 'backup');
    kernelWrites(lte, 'backup', 0n);
    const seen = async () => (await backend?.connections(PID))?.connections[0]?.subflows[1];
    expect(await seen()).toMatchObject({ ours: 'active', peers: 'active' });
    expect(await setPriority(backend, ON_LTE, 'backup')).toMatchObject({ outcome: 'committed' });
    expect(await seen()).toMatchObject({ ours: 'backup', peers: 'active' });
  });

  it('cannot be written byte-wise, because its bit has an unstable neighbour', async () => {
    image = new KernelImage(layout);
    await expect(open('bytes')).rejects.toMatchObject({
      step: 'field',
      message: expect.stringMatching(/backup shares its byte with map_valid/) as string,
      remedy: expect.stringContaining('nopat') as string,
    });
  });
});

describe('structures that leave no safe byte', () => {
  it.each<[string, Layout, RegExp]>([
    [
      "v0.88's low_prio, beside mapping_present",
      changed(LINUX_4_14_MPTCP, ({ bits }) => ({
        bits: {
          ...bits,
          mptcp_tcp_sock: (bits.mptcp_tcp_sock ?? []).map((bit) =>
            bit.name.includes('.') ? bit : { ...bit, bitOffset: bit.bitOffset + 1 },
          ),
        },
      })),
      /low_prio shares its byte with mapping_present/,
    ],
    [
      "Linux 6.12's request_bkup, beside map_valid",
      LINUX_6_12,
      /request_bkup shares its byte with map_valid/,
    ],
    [
      'a bit beside an unknown bit field',
      changed(LINUX_6_1, ({ bits }) => ({
        bits: {
          ...bits,
          mptcp_subflow_context: (bits.mptcp_subflow_context ?? []).map((bit) =>
            bit.name === 'conn_finished' ? { ...bit, name: 'new_thing' } : bit,
          ),
        },
      })),
      /request_bkup shares its byte with new_thing/,
    ],
  ])('refuses to write %s byte-wise, and writes it mapped', async (_, layout, message) => {
    image = new KernelImage(layout);
    image.task(PID, [image.socket(ALICE).file]);
    await expect(open('bytes')).rejects.toMatchObject({
      step: 'field',
      message: expect.stringMatching(message) as string,
      remedy: expect.stringContaining('nopat') as string,
    });
    await (await open('mapped')).connections(PID);
    expect(await setPriority(backend, ON_LTE, 'backup')).toMatchObject({ outcome: 'committed' });
  });
});

describe('v0.86, which has no rcv_low_prio', () => {
  const layout = without(LINUX_4_14_MPTCP, 'mptcp_tcp_sock.rcv_low_prio');

  it("reads the client's priority from the option that was received", async () => {
    image = new KernelImage(layout);
    const alice = image.socket({
      ...ALICE,
      subflows: [
        { local: SERVER, remote: WIFI },
        { local: SERVER, remote: LTE, bits: ['rx_opt.low_prio'] },
      ],
    });
    image.task(PID, [alice.file]);
    const { connections } = await (await open()).connections(PID);
    expect(connections[0]?.subflows.map(({ peers }) => peers)).toEqual(['active', 'backup']);
    expect(await setPriority(backend, ON_LTE, 'active', { overridePeer: true })).toMatchObject({
      outcome: 'committed',
    });
    expect((await backend?.connections(PID))?.connections[0]?.subflows[1]).toMatchObject({
      ours: 'active',
      peers: 'active',
    });
  });
});

describe('before Linux 3.9', () => {
  // Later kernels moved these members: the inode was behind the dentry, ports in inet_sock, IPv6 addresses in ipv6_pinfo.
  const layout = changed(
    without(
      LINUX_4_14_MPTCP,
      'file.f_inode',
      'sock_common.skc_dport',
      'sock_common.skc_num',
      'sock_common.skc_v6_daddr',
      'sock_common.skc_v6_rcv_saddr',
    ),
    ({ fields }) => ({
      fields: {
        ...fields,
        'inet_sock.inet_dport': { offset: 632, size: 2 },
        'inet_sock.inet_num': { offset: 634, size: 2 },
        'ipv6_pinfo.rcv_saddr': { offset: 16, size: 16 },
        'ipv6_pinfo.daddr': { offset: 32, size: 16 },
      },
    }),
  );

  it.each(['192.168.110.2', '2001:db8::1'])(
    'finds and writes a socket with the address %s',
    async (address) => {
      image = new KernelImage(layout);
      const local = { address, port: 1194 };
      const [wifi, lte] = (
        address.includes(':') ? ['2001:db8:100::2', '2001:db8:200::2'] : [WIFI.address, LTE.address]
      ).map((host, index) => ({ address: host, port: 5000 + index })) as [typeof WIFI, typeof LTE];
      const alice = image.socket({
        local,
        remote: wifi,
        subflows: [
          { local, remote: wifi },
          { local, remote: lte },
        ],
      });
      image.task(PID, [image.plainFile(), alice.file]);
      const { connections, problems } = await (await open()).connections(PID);
      expect(problems).toEqual([]);
      expect(connections[0]?.subflows.map((subflow) => [subflow.local, subflow.remote])).toEqual([
        [local, wifi],
        [local, lte],
      ]);
      const name = { pid: PID, connection: wifi, local, remote: lte };
      expect(await setPriority(backend, name, 'backup')).toMatchObject({ outcome: 'committed' });
      expect(image.changes()).toHaveLength(1);
    },
  );
});

it('refuses a kernel without MPTCP', async () => {
  image = new KernelImage(without(LINUX_6_1, 'mptcp_sock.conn_list'));
  await expect(open()).rejects.toMatchObject({
    step: 'layout',
    message: expect.stringContaining('this kernel has no MPTCP') as string,
  });
});
