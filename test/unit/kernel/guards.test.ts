import { openSync, writeSync, closeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubflowName } from '../../../src/backend/backend.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { openKernel, type KernelSources } from '../../../src/kernel/kernel.js';
import { LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage, type Placed } from '../../support/kernel_image.js';
import { LINUX_6_1 } from '../../support/layouts.js';

const NAME: SubflowName = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };

let image: KernelImage;
let sources: KernelSources;
let alice: Placed & { readonly file: bigint };
let array: bigint;
let backend: DevmemBackend;

/** Changes one member behind the backend's back, in the file that it has open. */
function corrupt(address: bigint, bytes: readonly number[]): void {
  const file = openSync(sources.memory, 'r+');
  writeSync(file, Buffer.from(bytes), 0, bytes.length, Number(image.physical(address)));
  closeSync(file);
}

/** Every guard of the trail: where it lies, and a value that says that the way is another now. */
function guards(): Record<string, [bigint, number[]]> {
  const at = (base: bigint, struct: string, member: string) => image.at(base, struct, member);
  const inode = image.word(at(alice.file, 'file', 'f_inode'));
  const socket = inode - BigInt(LINUX_6_1.field('socket_alloc', 'vfs_inode').offset);
  const [context, sock] = [alice.contexts[1] as bigint, alice.socks[1] as bigint];
  return {
    'the fd slot': [array + 8n, [0, 0, 0, 0, 0, 0, 0, 0]],
    "the file's inode": [at(alice.file, 'file', 'f_inode'), [1]],
    "the inode's type": [inode, [0xa4, 0x81]],
    "the socket's file": [at(socket, 'socket', 'file'), [1]],
    "the socket's sock": [at(socket, 'socket', 'sk'), [1]],
    "the meta-socket's family": [at(alice.sk, 'sock_common', 'skc_family'), [10]],
    "the meta-socket's state": [at(alice.sk, 'sock_common', 'skc_state'), [7]],
    "the meta-socket's peer address": [at(alice.sk, 'sock_common', 'skc_daddr'), [1]],
    "the meta-socket's peer port": [at(alice.sk, 'sock_common', 'skc_dport'), [1]],
    "the meta-socket's protocol": [at(alice.sk, 'sock', 'sk_protocol'), [6, 0]],
    'its place on the list': [alice.contexts[0] as bigint, [1]],
    "the subflow's family": [at(sock, 'sock_common', 'skc_family'), [10]],
    "the subflow's state": [at(sock, 'sock_common', 'skc_state'), [8]],
    "the subflow's peer address": [at(sock, 'sock_common', 'skc_daddr'), [1]],
    "the subflow's peer port": [at(sock, 'sock_common', 'skc_dport'), [1]],
    "the subflow's own address": [at(sock, 'sock_common', 'skc_rcv_saddr'), [1]],
    "the subflow's own port": [at(sock, 'sock_common', 'skc_num'), [1]],
    "the subflow's socket": [at(context, 'mptcp_subflow_context', 'tcp_sock'), [1]],
    "the subflow's meta-socket": [at(context, 'mptcp_subflow_context', 'conn'), [1]],
    'a subflow not yet established': [context + 96n, [0b0101_0000]],
    'a subflow not yet notified': [context + 96n, [0b0011_0000]],
  };
}

describe.each(['mapped', 'bytes'] as const)('a guard that no longer holds stops the commit, %s', (access) => {
  beforeEach(async () => {
    image = new KernelImage(LINUX_6_1);
    alice = image.socket({
      protocol: 262,
      local: SERVER,
      remote: WIFI,
      subflows: [
        { local: SERVER, remote: WIFI },
        { local: SERVER, remote: LTE },
      ],
    });
    array = image.task(PID, [image.plainFile(), alice.file]);
    sources = image.sources();
    backend = new DevmemBackend(await openKernel(sources, { access, layout: LINUX_6_1 }));
    await backend.connections(PID);
    // the trail is made, and proved to hold, before anything goes wrong
    expect((await backend.setPriority(NAME, 'backup')).outcome).toBe('committed');
  });
  afterEach(async () => {
    await backend.close();
    image.remove();
  });

  it.each([
    'the fd slot',
    "the file's inode",
    "the inode's type",
    "the socket's file",
    "the socket's sock",
    "the meta-socket's family",
    "the meta-socket's state",
    "the meta-socket's peer address",
    "the meta-socket's peer port",
    "the meta-socket's protocol",
    'its place on the list',
    "the subflow's family",
    "the subflow's state",
    "the subflow's peer address",
    "the subflow's peer port",
    "the subflow's own address",
    "the subflow's own port",
    "the subflow's socket",
    "the subflow's meta-socket",
    'a subflow not yet established',
    'a subflow not yet notified',
  ])('%s', async (guard) => {
    const [address, bytes] = guards()[guard] as [bigint, number[]];
    corrupt(address, bytes);
    const corrupted = image.reread();
    const result = await backend.setPriority(NAME, 'active');
    expect(result.outcome).toBe('gone');
    expect(result.reason).toMatch(/\w/);
    expect(image.reread().equals(corrupted)).toBe(true);
  });

  it('finds the way anew when only a neighbour on the list changed', async () => {
    // the first subflow goes: the head's next is the second one now
    const head = image.at(alice.sk, 'mptcp_sock', 'conn_list');
    const second = Buffer.alloc(8);
    second.writeBigUInt64LE(alice.contexts[1] as bigint);
    corrupt(head, [...second]);
    const previous = Buffer.alloc(8);
    previous.writeBigUInt64LE(head);
    corrupt((alice.contexts[1] as bigint) + 8n, [...previous]);
    corrupt(alice.contexts[0] as bigint, [0, 1, 0, 0, 0, 0, 0xad, 0xde]);
    expect((await backend.setPriority(NAME, 'active')).outcome).toBe('committed');
  });
});
