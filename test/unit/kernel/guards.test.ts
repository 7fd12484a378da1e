import { openSync, writeSync, closeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubflowName } from '../../../src/model/subflow.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { isSameEndpoint } from '../../../src/model/endpoint.js';
import { openKernel, type KernelSources } from '../../../src/kernel/kernel.js';
import type { Layout } from '../../../src/kernel/layout/layout.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage } from '../../support/kernel-image.js';
import type { SocketLocation } from '../../support/kernel-image-types.js';
import { SAFE_ACCESSES } from '../../support/layouts.js';
import { setPriority } from '../../support/set-priority.js';

const NAME: SubflowName = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };

let image: KernelImage;
let sources: KernelSources;
let alice: SocketLocation & { readonly file: bigint };
let array: bigint;
let backend: DevmemBackend;
let observed: SubflowName;

/** Changes bytes in the memory file, without the backend. */
function corrupt(address: bigint, bytes: readonly number[]): void {
  const file = openSync(sources.memory, 'r+');
  writeSync(file, Buffer.from(bytes), 0, bytes.length, Number(image.physical(address)));
  closeSync(file);
}

/** The bytes of a pointer. */
function pointer(value: bigint): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return [...bytes];
}

/** The address of a guard, and bytes that differ from its expected value. */
type Guard = () => [bigint, number[]];

/** The byte of a member with one of the member's bits inverted. */
function inverted(base: bigint, struct: string, member: string): [bigint, number[]] {
  const { bitOffset } = image.layout.bits(struct, member);
  const at = base + BigInt(bitOffset >>> 3);
  const before = image.reread()[Number(image.physical(at))] as number;
  return [at, [before ^ (1 << (bitOffset & 7))]];
}

/** Every guard of the trail. */
function guards(layout: Layout): Record<string, Guard> {
  const at = (base: bigint, struct: string, member: string) => image.at(base, struct, member);
  const either = (common: string, inet: string): [string, string] =>
    layout.has('sock_common', common) ? ['sock_common', common] : ['inet_sock', inet];
  const hasInode = layout.has('file', 'f_inode');
  const inode = () =>
    hasInode
      ? image.word(at(alice.file, 'file', 'f_inode'))
      : image.word(at(image.word(at(alice.file, 'file', 'f_path.dentry')), 'dentry', 'd_inode'));
  const socket = () => inode() - BigInt(layout.field('socket_alloc', 'vfs_inode').offset);
  const sock = () => alice.socks[1] as bigint;
  const context = () => alice.contexts[1] as bigint;
  const ends = (what: string, sk: () => bigint): Record<string, Guard> => ({
    [`${what}'s family`]: () => [at(sk(), 'sock_common', 'skc_family'), [10]],
    [`${what}'s state`]: () => [at(sk(), 'sock_common', 'skc_state'), [7]],
    [`${what}'s remote address`]: () => [at(sk(), ...either('skc_daddr', 'inet_daddr')), [1]],
    [`${what}'s remote port`]: () => [at(sk(), ...either('skc_dport', 'inet_dport')), [1]],
  });
  const common: Record<string, Guard> = {
    'the fd slot': () => [array + 8n, pointer(0n)],
    ...(hasInode
      ? { "the file's inode": () => [at(alice.file, 'file', 'f_inode'), [1]] }
      : { "the file's dentry": () => [at(alice.file, 'file', 'f_path.dentry'), [1]] }),
    "the inode's type": () => [inode(), [0xa4, 0x81]],
    "the socket's file": () => [at(socket(), 'socket', 'file'), [1]],
    "the socket's sock": () => [at(socket(), 'socket', 'sk'), [1]],
    // A connection is named by its remote endpoint, so the local endpoint of the meta-socket is not tested.
    ...ends('the meta-socket', () => alice.sk),
    "the meta-socket's protocol": () => inverted(alice.sk, 'sock', 'sk_protocol'),
    'the pointer to the subflow': () => [alice.links[1]?.link ?? 0n, [1]],
    ...ends('the subflow', sock),
    "the subflow's local address": () => [at(sock(), ...either('skc_rcv_saddr', 'inet_rcv_saddr')), [1]],
    "the subflow's local port": () => [at(sock(), ...either('skc_num', 'inet_num')), [1]],
  };
  if (layout.has('mptcp_sock', 'conn_list')) {
    const struct = 'mptcp_subflow_context';
    return {
      ...common,
      "the subflow's socket": () => [at(context(), struct, 'tcp_sock'), [1]],
      "the subflow's meta-socket": () => [at(context(), struct, 'conn'), [1]],
      'a subflow not yet established': () => inverted(context(), struct, 'fully_established'),
      'a subflow not yet notified': () => inverted(context(), struct, 'pm_notified'),
    };
  }
  const mpcb = () => image.word(at(alice.sk, 'tcp_sock', 'mpcb'));
  return {
    ...common,
    "the meta-socket's mpc": () => inverted(alice.sk, 'tcp_sock', 'mpc'),
    "the meta-socket's mptcp_cb": () => [at(alice.sk, 'tcp_sock', 'mpcb'), [1]],
    "the owner of the meta-socket's mptcp_cb": () => [at(mpcb(), 'mptcp_cb', 'meta_sk'), [1]],
    "the subflow's mptcp_cb": () => [at(sock(), 'tcp_sock', 'mpcb'), [1]],
    "the subflow's mptcp_tcp_sock": () => [at(sock(), 'tcp_sock', 'mptcp'), [1]],
    "the subflow's socket": () => [at(context(), 'mptcp_tcp_sock', 'tp'), [1]],
    'a subflow that is no longer attached': () => inverted(context(), 'mptcp_tcp_sock', 'attached'),
    'a subflow before its handshake is over': () => inverted(context(), 'mptcp_tcp_sock', 'pre_established'),
  };
}

describe.each(SAFE_ACCESSES)(
  'a guard that fails stops the commit: $kernel, $access',
  ({ layout, access }) => {
    beforeEach(async () => {
      image = new KernelImage(layout);
      alice = image.socket(ALICE);
      array = image.task(PID, [image.plainFile(), alice.file]);
      sources = image.sources();
      backend = new DevmemBackend(await openKernel(sources, { access, layout }));
      const [connection] = (await backend.connections(PID)).connections;
      const lte = connection?.subflows.find(({ remote }) => isSameEndpoint(remote, LTE));
      if (!connection || !lte) throw new Error('alice is on LTE');
      // with the endpoint objects of the observation, as the daemon has them
      observed = { pid: PID, connection: connection.remote, local: lte.local, remote: lte.remote };
      expect(observed).toEqual(NAME);
      // this makes the guards, and shows that they match
      expect((await setPriority(backend, observed, 'backup')).outcome).toBe('committed');
    });
    afterEach(async () => {
      await backend.close();
      image.remove();
    });

    it.each(Object.entries(guards(layout)))('%s', async (_, guard) => {
      corrupt(...guard());
      const corrupted = image.reread();
      const result = await setPriority(backend, observed, 'active');
      expect(result.outcome).toBe('gone');
      expect(result.reason).toMatch(/\w/);
      expect(image.reread().equals(corrupted)).toBe(true);
    });

    it.each([
      ['has the observed objects', () => observed],
      ['has equal objects', () => NAME],
    ])(
      'finds the subflow again if only its neighbour on the list changed, by a name that %s',
      async (_, name) => {
        // the kernel removes the first subflow: the head now points to the second one
        const [first, second] = alice.links;
        if (!first || !second) throw new Error('alice has two subflows');
        corrupt(first.link, pointer(second.node));
        // and poisons its memory, like that of a freed object
        corrupt(first.node, [0, 1, 0, 0, 0, 0, 0xad, 0xde]);
        expect((await setPriority(backend, name(), 'active')).outcome).toBe('committed');
      },
    );
  },
);
