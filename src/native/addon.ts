import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { KernelError } from '../model/kernel-error.js';
import { packageRoot } from '../util/package-root.js';

/**
 * Result of reading one address with {@link NativeMemory.gather}; native/rows.h has the same numbers.
 * - `untranslated`: the address is misaligned (not a multiple of 8), or not in the linear map.
 * - `unreadable`: the address is not System RAM, or its page cannot be read.
 * - `changed`: it was read, but differs from the last time, or was not read then.
 * - `unchanged`: it was read both times, with the same address and the same words.
 */
export const ReadStatus = { unreadable: 0, untranslated: 1, changed: 2, unchanged: 3 } as const;

/** `mapped`: through mappings of the file, with atomic instructions. `bytes`: with pread and pwrite. */
export type Access = 'mapped' | 'bytes';

/**
 * One table for {@link NativeMemory.gather}: the structures to read, the words to read of each, and where the rows go.
 * `words` has pairs of [offset, mask]. The offset is in bytes, a multiple of 8. The mask selects the bits of the word.
 */
export type NativeTable = [
  addresses: BigUint64Array,
  words: BigUint64Array,
  rows: BigUint64Array,
  status: Uint8Array,
];

/** How {@link NativeMemory.walkList} ended: at the head again, at the limit, or at memory that cannot be read. */
export type ListEnd = 'closed' | 'limit' | 'unreadable';

/**
 * Results of {@link NativeMemory.commit} other than the index of a guard that failed.
 * - `changed`: at least one change was written.
 * - `unchanged`: memory already had every value.
 * - `overwritten`: a change was written, but somebody else wrote the bits again before they were read back.
 */
export const CommitResult = { changed: -1, unchanged: -2, overwritten: -3 } as const;

/**
 * Results of a commit of {@link NativeMemory.commitAll}, beside those of {@link NativeMemory.commit}.
 * - `notTried`: the commit that must be made first was not made.
 * - `failed`: `commit` would throw an Error.
 */
export const BatchResult = { notTried: -4, failed: -5 } as const;

/**
 * Physical memory as the native addon accesses it: `/dev/mem`, or any file whose offsets are physical addresses. It
 * accesses only whole pages of the ranges that the constructor receives. Calls throw Errors with a `code`: EOPEN, ERANGES,
 * EMAP, ECLOSED, EGUARD, ETARGET, EWRITE or EBUSY. native/physical-memory.h and native/guarded-commit.h say when.
 */
export interface NativeMemory {
  readonly access: Access;
  /** The errno with which the system refused to map memory; 0 if it did not. */
  readonly mapErrno: number;
  /**
   * The number of reads so far, as a measure of cost that does not depend on the machine. With byte-wise access each read is
   * one system call. With mapped access a commit counts each change from one 2 MiB window to another.
   */
  readonly reads: number;
  /** Sets the linear map. `pieces` has triples of [virtual start, virtual end, physical start]. */
  setLinearMap(pieces: BigUint64Array): void;
  /** Translates a virtual address with the linear map. Returns undefined if it is not in the map. */
  toPhysical(address: bigint): bigint | undefined;
  /** Fills `out` from a physical address. Returns false if a part of it is not System RAM or cannot be read. */
  readPhysical(address: bigint, out: Uint8Array): boolean;
  /**
   * Reads words of the structures at virtual addresses, one table after the other. Each address gets one row: the address,
   * and then each word, with the bits outside of its mask set to zero. A row that cannot be read is all zeros. `rows` and
   * `status` must have the contents that the last call left in them; `status` then gets a {@link ReadStatus} for each row.
   * Returns the number of rows that are not `unchanged`.
   */
  gather(...tables: NativeTable | [...NativeTable, ...NativeTable]): number;
  /** Whether `gather` would change nothing in these tables. A row that could not be read must still be unreadable. */
  isUnchanged(...tables: readonly NativeTable[number][]): boolean;
  /**
   * Walks a circular list from `head`. The pointer at `nextOffset` of each node leads to the next one. The walk ends when it
   * arrives at `head` again, or when `visited` is full. For each node except the head it writes `length` bytes at `offset`
   * to `out`, and the node's address to `visited`.
   */
  walkList(
    head: bigint,
    nextOffset: number,
    offset: number,
    length: number,
    out: Uint8Array,
    visited: BigUint64Array,
  ): { count: number; end: ListEnd };
  /**
   * The guarded commit. From index `at`, `guards` has the physical address of the structure to change, the number of guards,
   * and for each guard [physical address, mask, expected value]. `changes` has for each change
   * [offset in the structure, width in bytes (1, 2 or 4), mask, value, mask of the bits to read back].
   *
   * For each change it compares all guards in order. Only if all have their expected values, it changes the masked bits of
   * the unit and reads back those that nobody else writes.
   * @returns `changed` or `unchanged` if every change was made. Otherwise it stops at the first change that was not made,
   * and returns `overwritten`, or the index of the guard that failed. It does not write that change or a later one.
   */
  commit(guards: BigUint64Array, at: number, changes: BigUint64Array): number;
  /**
   * Many guarded commits in one call, each with its own guards, all from the same two arrays as {@link commit} has them.
   * A commit that must follow another one is not tried if that one was not made.
   * @param commits for each commit [index of its guards, index of its first change, number of its changes, index of the
   * earlier commit that must be made first, or -1].
   * @param results receives for each commit the result of {@link commit}, or a {@link BatchResult}.
   */
  commitAll(guards: BigUint64Array, changes: BigUint64Array, commits: Int32Array, results: Int32Array): void;
  close(): void;
}

/**
 * A netlink socket in a network namespace. Calls throw Errors with the `code` of the system: EPERM if a capability is
 * missing, and ENOBUFS from `receive` if the kernel dropped datagrams. After `close` the code is ECLOSED.
 */
export interface NativeNetlinkSocket {
  /** Subscribes to a multicast group. */
  join(group: number): void;
  /** Sends a datagram to the kernel. */
  send(bytes: Uint8Array): void;
  /**
   * Receives the next datagram from the kernel.
   * @returns its length in bytes, which may be more than `out` has room for; undefined if there is no datagram.
   */
  receive(out: Uint8Array): number | undefined;
  /**
   * Calls back again and again while a datagram waits, or if some were dropped. It can be called once for each socket, and
   * does not keep the process running.
   */
  onReadable(callback: () => void): void;
  close(): void;
}

/** A netlink socket that another process can get. */
export interface ShareableNetlinkSocket extends NativeNetlinkSocket {
  /** Its descriptor, which {@link close} closes. */
  readonly fd: number;
  /** From now on the kernel drops every datagram for this socket. */
  dropAll(): void;
}

/** SO_PEERCRED (unix(7)), with the numbers of this process's namespaces. The pid is 0 in another PID namespace. */
export interface PeerCredentials {
  readonly pid: number;
  /** The effective user when the peer called connect(2) or, if the peer is the listener, listen(2). */
  readonly uid: number;
  readonly gid: number;
}

export interface Addon {
  /** The process at the other end of a connected unix socket. @throws {Error} for any other descriptor. */
  readonly peerCredentials: (fd: number) => PeerCredentials;
  /**
   * `namespaceFd` is an open /proc/PID/ns/net; undefined for the namespace of this process. Another namespace needs
   * CAP_SYS_ADMIN.
   */
  readonly NetlinkSocket: new (protocol: number, namespaceFd: number | undefined) => ShareableNetlinkSocket;
  readonly PhysicalMemory: new (
    path: string,
    ranges: BigUint64Array,
    access: Access | 'auto',
    writable: boolean,
  ) => NativeMemory;
  /**
   * Makes this process, and the programs that it starts, ignore a signal (sigaction(2), SIG_IGN). For signals without a name
   * in Node.
   * @throws {TypeError} if there is no signal with this number, or if it cannot be ignored.
   */
  readonly ignoreSignal: (number: number) => void;
  /**
   * Sends one datagram to a unix socket, without waiting.
   * @param path with `@` in front, a name in the abstract namespace (unix(7)).
   * @param fd a descriptor that the receiver gets as well.
   * @returns 0, or the errno with which the system refused it: EMSGSIZE if it is too long, EAGAIN if the socket is full.
   * @throws {TypeError} if the path is empty, or longer than a unix socket's path can be.
   */
  readonly sendDatagram: (path: string, bytes: Uint8Array, fd?: number) => number;
}

const require = createRequire(import.meta.url);

/** Where the addon is in the package: compiled on this machine, or else as the package brought it. */
const ADDON_FILES = ['build/Release/subflowd.node', 'prebuilds/linux-x64/subflowd.node'];

/**
 * Loads the native addon. All access to the addon goes through this function. `SUBFLOWD_PREBUILD` names another directory that
 * has it, for tests.
 * @throws {KernelError} if it does not exist or does not work on this machine.
 */
export function loadAddon(): Addon {
  const root = process.env.SUBFLOWD_PREBUILD ?? packageRoot();
  const file = ADDON_FILES.map((name) => join(root, name)).find((path) => existsSync(path));
  const remedy = `npm rebuild, in ${root}, with g++, make and python3 installed`;
  if (file === undefined) {
    const message = `the native addon cannot be loaded: neither ${ADDON_FILES.join(' nor ')} is in ${root}`;
    throw new KernelError('addon', message, remedy);
  }
  try {
    return require(file) as Addon;
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new KernelError('addon', `the native addon cannot be loaded: ${reason}`, remedy, { cause: error });
  }
}
