import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ipaddr from 'ipaddr.js';
import type { KernelSources } from '../../src/kernel/kernel.js';
import type { Layout } from '../../src/kernel/layout/layout.js';
import { CODE, writeSources } from './kernel-image-sources.js';
import type { ImageOptions, ImageSocket, SocketLocation } from './kernel-image-types.js';
import { layOutMultipathTcpOrg } from './multipath-tcp-org-image.js';
import { layOutUpstream } from './upstream-image.js';

/** The address that the kernel image is linked for. */
const LINKED_TEXT = 0xffff_ffff_8100_0000n;
/** The default size of the RAM, bytes. */
const SIZE = 0x80_0000;
/** The physical address of the first allocation. */
const HEAP = 0x20_0000;
/** Flags of an entry of a page table: present, writable, accessed and dirty. */
const PRESENT = 0x63n;
/** The flag of an entry that maps a huge page. */
const HUGE = 0x80n;

/**
 * A file with the memory of a fake kernel, as /dev/mem shows it. It has tasks, files, sockets and subflows, with the layout of
 * one of the two MPTCP implementations. It is for tests that are not possible with a real kernel, e.g. with broken structures.
 */
export class KernelImage {
  readonly bytes: Buffer;
  readonly options: Required<ImageOptions>;
  /** The files of {@link sources} are here. */
  readonly directory = mkdtempSync(path.join(tmpdir(), 'kernel-image-'));
  /** The address of the kernel image. */
  readonly text: bigint;
  #heap = HEAP;
  readonly #tasks: bigint[] = [];
  readonly initTask: bigint;
  /** The address of the kernel's top page table. */
  readonly pgd: bigint;

  constructor(
    readonly layout: Layout,
    options: ImageOptions = {},
  ) {
    this.options = {
      size: SIZE,
      slide: 0x1b00_0000n,
      directMap: { base: 0xffff_8880_0000_0000n, levels: 4 },
      isRandomised: false,
      kallsyms: 'all',
      symbols: {},
      ...options,
    };
    this.bytes = Buffer.alloc(this.options.size);
    this.text = LINKED_TEXT + this.options.slide;
    this.initTask = this.text + 0x1000n;
    this.pgd = this.text + 0x4000n;
    if (this.options.isRandomised) this.setWord(this.text + 0x8000n, this.options.directMap.base);
    this.#tasks.push(this.initTask);
    this.place(this.initTask, 'task_struct', 'pid', 0n);
    this.task(1, []);
  }

  /** The range of physical addresses that has all allocations. */
  get used(): { readonly start: number; readonly end: number } {
    return { start: HEAP, end: this.#heap };
  }

  /** Allocates zeroed memory in the direct map. Returns its virtual address. */
  allocate(bytes: number): bigint {
    const at = this.#heap;
    this.#heap = (at + bytes + 63) & ~63;
    if (this.#heap > this.bytes.length) throw new Error('the image is full');
    return this.options.directMap.base + BigInt(at);
  }

  /** The physical address of a virtual one. */
  physical(address: bigint): bigint {
    return address >= this.text ? address - this.text + BigInt(CODE) : address - this.options.directMap.base;
  }

  word(address: bigint): bigint {
    return this.bytes.readBigUInt64LE(Number(this.physical(address)));
  }

  setWord(address: bigint, value: bigint): void {
    this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), Number(this.physical(address)));
  }

  /**
   * Adds a process.
   * @param files addresses of `struct file`, by descriptor; 0 for a closed one.
   * @param options whether the fd array is in vmalloc space, in 4 KiB pages or in one huge page. By default, it is not.
   * @returns the address of its fd array.
   */
  task(pid: number, files: readonly bigint[], options: { readonly vmalloc?: 'small' | 'huge' } = {}): bigint {
    const task = this.allocate(4096);
    this.#tasks.push(task);
    this.place(task, 'task_struct', 'pid', BigInt(pid));
    const [filesStruct, fdt] = [this.allocate(128), this.allocate(64)];
    const array =
      options.vmalloc === undefined ? this.allocate(8 * files.length + 8) : this.#vmalloc(options.vmalloc);
    const backing = this.#backing(array);
    for (const [fd, file] of files.entries()) this.setWord(backing + 8n * BigInt(fd), file);
    this.place(task, 'task_struct', 'files', filesStruct);
    this.place(filesStruct, 'files_struct', 'fdt', fdt);
    this.place(fdt, 'fdtable', 'max_fds', BigInt(files.length));
    this.place(fdt, 'fdtable', 'fd', array);
    this.#linkTasks();
    return array;
  }

  /** Adds an open socket. Returns its `struct file` and its other addresses. */
  socket(socket: ImageSocket): SocketLocation & { readonly file: bigint } {
    const alloc = this.allocate(1024);
    const file = this.#file(alloc + BigInt(this.layout.field('socket_alloc', 'vfs_inode').offset), 0o140777n);
    const sk = this.allocate(4096);
    this.place(alloc, 'socket', 'file', file);
    this.place(alloc, 'socket', 'sk', sk);
    this.setEndpoints(sk, socket);
    this.place(sk, 'sock', 'sk_protocol', BigInt(socket.protocol ?? 6));
    if (!socket.subflows) return { file, sk, contexts: [], socks: [], links: [] };
    const layOut = this.layout.has('mptcp_sock', 'conn_list') ? layOutUpstream : layOutMultipathTcpOrg;
    return { file, ...layOut(this, sk, socket.token ?? 0, socket.subflows) };
  }

  /** Adds an open file that is not a socket. */
  plainFile(): bigint {
    return this.#file(this.allocate(1024), 0o100644n);
  }

  #file(inode: bigint, mode: bigint): bigint {
    const file = this.allocate(512);
    if (this.layout.has('file', 'f_inode')) {
      this.place(file, 'file', 'f_inode', inode);
    } else {
      const dentry = this.allocate(256);
      this.place(file, 'file', 'f_path.dentry', dentry);
      this.place(dentry, 'dentry', 'd_inode', inode);
    }
    this.place(inode, 'inode', 'i_mode', mode);
    return file;
  }

  /** The address of a member. */
  at(base: bigint, struct: string, member: string): bigint {
    return base + BigInt(this.layout.bits(struct, member).bitOffset >>> 3);
  }

  /** Writes a value to a member or to a bit field. */
  place(base: bigint, struct: string, member: string, value: bigint): void {
    const { bitOffset, bitSize } = this.layout.bits(struct, member);
    for (let bit = 0; bit < Math.min(bitSize, 64); bit++) {
      const at = Number(this.physical(base)) + ((bitOffset + bit) >>> 3);
      const mask = 1 << ((bitOffset + bit) & 7);
      const byte = this.bytes[at] as number;
      this.bytes[at] = ((BigInt.asUintN(64, value) >> BigInt(bit)) & 1n) === 1n ? byte | mask : byte & ~mask;
    }
  }

  /** Writes a socket's family, state, addresses and ports. */
  setEndpoints(sk: bigint, { local, remote, state, mapped }: Omit<ImageSocket, 'protocol'>): void {
    const v6 = mapped === true || local.address.includes(':');
    const either = (common: string, inet: string): [string, string] =>
      this.layout.has('sock_common', common) ? ['sock_common', common] : ['inet_sock', inet];
    this.place(sk, 'sock_common', 'skc_family', v6 ? 10n : 2n);
    this.place(sk, 'sock_common', 'skc_state', BigInt(state ?? 1));
    this.place(sk, ...either('skc_num', 'inet_num'), BigInt(local.port));
    const dport = ((remote.port & 0xff) << 8) | (remote.port >>> 8);
    this.place(sk, ...either('skc_dport', 'inet_dport'), BigInt(dport));
    // older kernels have the IPv6 addresses in a structure that `pinet6` points to
    const hasPinfo = v6 && !this.layout.has('sock_common', 'skc_v6_daddr');
    const pinfo = hasPinfo ? this.allocate(256) : 0n;
    if (hasPinfo) this.place(sk, 'inet_sock', 'pinet6', pinfo);
    for (const [v4Member, v6Member, pinfoMember, { address }] of [
      ['skc_rcv_saddr', 'skc_v6_rcv_saddr', 'rcv_saddr', local],
      ['skc_daddr', 'skc_v6_daddr', 'daddr', remote],
    ] as const) {
      const parsed = ipaddr.parse(address);
      const bytes =
        v6 && parsed instanceof ipaddr.IPv4
          ? parsed.toIPv4MappedAddress().toByteArray()
          : parsed.toByteArray();
      const at = hasPinfo
        ? this.at(pinfo, 'ipv6_pinfo', pinfoMember)
        : this.at(sk, 'sock_common', v6 ? v6Member : v4Member);
      this.bytes.set(bytes, Number(this.physical(at)));
    }
  }

  /** Writes the files that `openKernel` reads, and a layout file of this build. */
  sources(): KernelSources & { readonly layout: string } {
    return writeSources(this);
  }

  /** The bytes that differ between the image and the memory file: [physical address, in the image, in the file]. */
  changes(): [number, number, number][] {
    const now = this.reread();
    const found: [number, number, number][] = [];
    const chunk = 4096;
    for (let at = 0; at < now.length; at += chunk) {
      if (now.compare(this.bytes, at, at + chunk, at, at + chunk) === 0) continue;
      for (let i = at; i < at + chunk; i++) {
        if (now[i] !== this.bytes[i]) found.push([i, this.bytes[i] as number, now[i] as number]);
      }
    }
    return found;
  }

  /** Copies the memory file to the image. */
  load(): void {
    this.reread().copy(this.bytes);
  }

  /** Copies the image to the memory file. */
  write(): void {
    writeFileSync(path.join(this.directory, 'mem'), this.bytes, { flag: 'r+' });
  }

  /** The current contents of the memory file. */
  reread(): Buffer {
    return readFileSync(path.join(this.directory, 'mem'));
  }

  /** Deletes the directory with the memory file. */
  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  #linkTasks(): void {
    this.linkList(this.#tasks.map((task) => this.at(task, 'task_struct', 'tasks')));
  }

  /** Links nodes to a circular list of `list_head`: next at 0, prev at 8. */
  linkList(nodes: readonly bigint[]): void {
    for (const [index, node] of nodes.entries()) {
      const next = nodes[(index + 1) % nodes.length] as bigint;
      this.setWord(node, next);
      this.setWord(next + 8n, node);
    }
  }

  /** Maps a part of vmalloc space, with one 4 KiB page or one 2 MiB page. Returns its virtual address. */
  #vmalloc(kind: 'small' | 'huge'): bigint {
    const { levels } = this.options.directMap;
    // the start of vmalloc space with four and with five levels (Documentation/arch/x86/x86_64/mm.rst)
    const start = levels === 4 ? 0xffff_c900_0000_0000n : 0xffa0_0000_0000_0000n;
    const address = start + (kind === 'huge' ? 0x20_0000n : 0x1000n);
    const table = () => this.physical(this.#page(4096));
    const put = (physical: bigint, level: number, value: bigint) => {
      const index = (address >> (12n + 9n * BigInt(level - 1))) & 511n;
      this.bytes.writeBigUInt64LE(value, Number(physical + index * 8n));
    };
    let at = this.physical(this.pgd);
    for (let level: number = levels; level > 2; level--) {
      const next = table();
      put(at, level, next | PRESENT);
      at = next;
    }
    if (kind === 'huge') {
      put(at, 2, 0x60_0000n | PRESENT | HUGE);
    } else {
      const entries = table();
      put(at, 2, entries | PRESENT);
      put(entries, 1, this.physical(this.#page(4096)) | PRESENT);
    }
    return address;
  }

  /** The direct map's address of the memory that an address in vmalloc space is mapped to. */
  #backing(array: bigint): bigint {
    const { base } = this.options.directMap;
    if (array >= base && array < base + BigInt(this.bytes.length)) return array;
    if ((array & 0x20_0000n) !== 0n) return base + 0x60_0000n;
    return base + BigInt(this.#heap - 4096);
  }

  #page(bytes: number): bigint {
    this.#heap = (this.#heap + 4095) & ~4095;
    return this.allocate(bytes);
  }
}
