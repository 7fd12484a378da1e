import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ipaddr from 'ipaddr.js';
import type { Endpoint } from '../../src/endpoint.js';
import type { KernelSources } from '../../src/kernel/kernel.js';
import type { Layout } from '../../src/kernel/layout.js';

const DIRECT_MAP = 0xffff_8880_0000_0000n;
const TEXT = 0xffff_ffff_9c00_0000n;
const CODE = 0x10_0000;
const BYTES = 0x80_0000;
const HEAP = 0x20_0000;
const PRESENT = 0x63n;
const HUGE = 0x80n;

/** One socket to lay out; an MPTCP connection if it has subflows. */
export interface ImageSocket {
  readonly protocol: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly state?: number;
  readonly token?: number;
  /** AF_INET6 even where the addresses are IPv4: they are written v4-mapped. */
  readonly mapped?: boolean;
  readonly subflows?: readonly (Omit<ImageSocket, 'subflows' | 'protocol'> & {
    readonly bits?: readonly string[];
  })[];
}

/** Where the image's builder put a connection: physical addresses. */
export interface Placed {
  readonly sk: bigint;
  readonly contexts: readonly bigint[];
  readonly socks: readonly bigint[];
}

/**
 * A fake of a running kernel's memory, in a file as /dev/mem shows it: tasks, files, sockets and subflows laid out by
 * a given layout. It is for what a real kernel cannot be asked for: structures that are wrong.
 */
export class KernelImage {
  readonly bytes: Buffer;
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'kernel-image-'));
  #heap = HEAP;
  readonly #tasks: bigint[] = [];
  readonly #initTask = TEXT + 0x1000n;
  readonly #pgd = TEXT + 0x4000n;

  /** @param size bytes of RAM; what needs little is quicker to compare. */
  constructor(
    readonly layout: Layout,
    size = BYTES,
  ) {
    this.bytes = Buffer.alloc(size);
    this.#tasks.push(this.#initTask);
    this.#place(this.#initTask, 'task_struct', 'pid', 0n);
    this.task(1, []);
  }

  /** Physical addresses of what was laid out: from the first allocation to the last. */
  get used(): { readonly start: number; readonly end: number } {
    return { start: HEAP, end: this.#heap };
  }

  /** Virtual address of fresh, zeroed memory in the direct map. */
  allocate(bytes: number): bigint {
    const at = this.#heap;
    this.#heap = (at + bytes + 63) & ~63;
    if (this.#heap > this.bytes.length) throw new Error('the image is full');
    return DIRECT_MAP + BigInt(at);
  }

  /** Physical address of a virtual one. */
  physical(address: bigint): bigint {
    return address >= TEXT ? address - TEXT + BigInt(CODE) : address - DIRECT_MAP;
  }

  word(address: bigint): bigint {
    return this.bytes.readBigUInt64LE(Number(this.physical(address)));
  }

  setWord(address: bigint, value: bigint): void {
    this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), Number(this.physical(address)));
  }

  /** A process with these files (addresses of struct file; 0 is a closed descriptor). Returns its fd array's address. */
  task(pid: number, files: readonly bigint[], options: { readonly vmalloc?: 'small' | 'huge' } = {}): bigint {
    const task = this.allocate(2048);
    this.#tasks.push(task);
    this.#place(task, 'task_struct', 'pid', BigInt(pid));
    const [filesStruct, fdt] = [this.allocate(128), this.allocate(64)];
    const array =
      options.vmalloc === undefined ? this.allocate(8 * files.length + 8) : this.#vmalloc(options.vmalloc);
    const backing = this.#backing(array);
    for (const [fd, file] of files.entries()) this.setWord(backing + 8n * BigInt(fd), file);
    this.#place(task, 'task_struct', 'files', filesStruct);
    this.#place(filesStruct, 'files_struct', 'fdt', fdt);
    this.#place(fdt, 'fdtable', 'max_fds', BigInt(files.length));
    this.#place(fdt, 'fdtable', 'fd', array);
    this.#linkTasks();
    return array;
  }

  /** An open socket; returns its struct file and where the rest lies. */
  socket(socket: ImageSocket): Placed & { readonly file: bigint } {
    const file = this.allocate(256);
    const alloc = this.allocate(1024);
    const inode = alloc + BigInt(this.layout.field('socket_alloc', 'vfs_inode').offset);
    const sk = this.allocate(4096);
    this.#place(file, 'file', 'f_inode', inode);
    this.#place(inode, 'inode', 'i_mode', 0o140777n);
    this.#place(alloc, 'socket', 'file', file);
    this.#place(alloc, 'socket', 'sk', sk);
    this.#ends(sk, socket);
    this.#place(sk, 'sock', 'sk_protocol', BigInt(socket.protocol));
    if (!socket.subflows) return { file, sk, contexts: [], socks: [] };
    this.#place(sk, 'mptcp_sock', 'token', BigInt(socket.token ?? 0));
    const contexts = socket.subflows.map(() => this.allocate(512));
    const socks = socket.subflows.map((subflow, index) => {
      const [context, tcp] = [contexts[index] as bigint, this.allocate(4096)];
      this.#place(context, 'mptcp_subflow_context', 'tcp_sock', tcp);
      this.#place(context, 'mptcp_subflow_context', 'conn', sk);
      this.#ends(tcp, subflow);
      for (const name of ['fully_established', 'pm_notified', 'mp_join', ...(subflow.bits ?? [])]) {
        this.setBit(context, name);
      }
      return tcp;
    });
    const nodes = contexts.map(
      (context) => context + BigInt(this.layout.field('mptcp_subflow_context', 'node').offset),
    );
    this.#ring([sk + BigInt(this.layout.field('mptcp_sock', 'conn_list').offset), ...nodes]);
    return { file, sk, contexts, socks };
  }

  /** An open file that is no socket. */
  plainFile(): bigint {
    const [file, inode] = [this.allocate(256), this.allocate(1024)];
    this.#place(file, 'file', 'f_inode', inode);
    this.#place(inode, 'inode', 'i_mode', 0o100644n);
    return file;
  }

  setBit(context: bigint, name: string): void {
    const bit = this.layout.bitFields('mptcp_subflow_context').find((candidate) => candidate.name === name);
    if (!bit) throw new Error(`no bit ${name}`);
    const at = Number(this.physical(context)) + (bit.bitOffset >>> 3);
    this.bytes[at] = (this.bytes[at] as number) | (1 << (bit.bitOffset & 7));
  }

  /** Address of a member. */
  at(base: bigint, struct: string, member: string): bigint {
    return base + BigInt(this.layout.field(struct, member).offset);
  }

  /** Writes the files that `openKernel` reads. */
  sources(): KernelSources {
    const file = (name: string, content: string | Buffer) => {
      const full = path.join(this.#directory, name);
      writeFileSync(full, content);
      return full;
    };
    return {
      memory: file('mem', this.bytes),
      iomem: file(
        'iomem',
        `00000000-00000fff : Reserved\n00001000-${(this.bytes.length - 1).toString(16).padStart(8, '0')} : System RAM\n` +
          `  ${CODE.toString(16).padStart(8, '0')}-001fffff : Kernel code\nfed00000-fed003ff : HPET 0\n`,
      ),
      kallsyms: file(
        'kallsyms',
        [
          [TEXT, 'T', '_text'],
          [this.#initTask, 'D', 'init_task'],
          [this.#pgd, 'D', 'init_top_pgt'],
          [TEXT + 0x9000n, 't', 'init_task_work'],
        ]
          .map(
            ([address, type, name]) =>
              `${(address as bigint).toString(16)} ${String(type)} ${String(name)}\n`,
          )
          .join(''),
      ),
      btf: path.join(this.#directory, 'none'),
    };
  }

  /** Every byte that was changed through the memory file since it was laid out: [physical address, before, after]. */
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

  /** The memory file as it is now, after what was written through it. */
  reread(): Buffer {
    return readFileSync(path.join(this.#directory, 'mem'));
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }

  #place(base: bigint, struct: string, member: string, value: bigint): void {
    const { offset, size } = this.layout.field(struct, member);
    let rest = BigInt.asUintN(64, value);
    for (let i = 0; i < Math.min(size, 8); i++, rest >>= 8n) {
      this.bytes[Number(this.physical(base)) + offset + i] = Number(rest & 0xffn);
    }
  }

  #ends(sk: bigint, { local, remote, state, mapped }: Omit<ImageSocket, 'protocol'>): void {
    const v6 = mapped === true || local.address.includes(':');
    this.#place(sk, 'sock_common', 'skc_family', v6 ? 10n : 2n);
    this.#place(sk, 'sock_common', 'skc_state', BigInt(state ?? 1));
    this.#place(sk, 'sock_common', 'skc_num', BigInt(local.port));
    this.#place(sk, 'sock_common', 'skc_dport', BigInt(((remote.port & 0xff) << 8) | (remote.port >>> 8)));
    for (const [v4Member, v6Member, { address }] of [
      ['skc_rcv_saddr', 'skc_v6_rcv_saddr', local],
      ['skc_daddr', 'skc_v6_daddr', remote],
    ] as const) {
      const parsed = ipaddr.parse(address);
      const bytes =
        v6 && parsed instanceof ipaddr.IPv4
          ? parsed.toIPv4MappedAddress().toByteArray()
          : parsed.toByteArray();
      const at = this.physical(this.at(sk, 'sock_common', v6 ? v6Member : v4Member));
      this.bytes.set(bytes, Number(at));
    }
  }

  #linkTasks(): void {
    this.#ring(this.#tasks.map((task) => this.at(task, 'task_struct', 'tasks')));
  }

  /** A circular list_head list: next at 0, prev at 8. */
  #ring(nodes: readonly bigint[]): void {
    for (const [index, node] of nodes.entries()) {
      const next = nodes[(index + 1) % nodes.length] as bigint;
      this.setWord(node, next);
      this.setWord(next + 8n, node);
    }
  }

  /** Two pages' worth of vmalloc space whose memory lies elsewhere, by 4 KiB pages in swapped order or one 2 MiB page. */
  #vmalloc(kind: 'small' | 'huge'): bigint {
    const address = 0xffff_c900_0000_0000n + (kind === 'huge' ? 0x20_0000n : 0x1000n);
    const table = () => this.physical(this.#page(4096));
    const [pud, pmd, pte] = [table(), table(), table()];
    const index = (level: bigint) => ((address >> (12n + 9n * (level - 1n))) & 511n) * 8n;
    const put = (physical: bigint, value: bigint) => {
      this.bytes.writeBigUInt64LE(value, Number(physical));
    };
    put(this.physical(this.#pgd) + index(4n), pud | PRESENT);
    put(pud + index(3n), pmd | PRESENT);
    if (kind === 'huge') {
      put(pmd + index(2n), 0x60_0000n | PRESENT | HUGE);
    } else {
      put(pmd + index(2n), pte | PRESENT);
      put(pte + index(1n), this.physical(this.#page(4096)) | PRESENT);
    }
    return address;
  }

  /** Where the memory behind an address in vmalloc space lies in the direct map. */
  #backing(array: bigint): bigint {
    if (array >= DIRECT_MAP && array < DIRECT_MAP + BigInt(this.bytes.length)) return array;
    if (array >= 0xffff_c900_0020_0000n) return DIRECT_MAP + 0x60_0000n;
    return DIRECT_MAP + BigInt(this.#heap - 4096);
  }

  #page(bytes: number): bigint {
    this.#heap = (this.#heap + 4095) & ~4095;
    return this.allocate(bytes);
  }
}
