import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { KernelError } from '../model/kernel-error.js';

/**
 * What became of one address of a {@link NativeMemory.gather}; native/rows.h has the same numbers. `same`: it was read, now
 * and the last time, and nothing changed.
 */
export const ReadStatus = { unreadable: 0, untranslated: 1, changed: 2, same: 3 } as const;

/** `mapped`: windows of the file in this process and atomic instructions; `bytes`: pread and pwrite. */
export type Access = 'mapped' | 'bytes';

/**
 * Which words {@link NativeMemory.gather} reads of which structures, and where to. `words` are pairs of [offset, mask]: a
 * multiple of 8, bytes, and which bits of the word count.
 */
export type GatheredRows = [
  addresses: BigUint64Array,
  words: BigUint64Array,
  rows: BigUint64Array,
  status: Uint8Array,
];

/** How {@link NativeMemory.follow} ended: back at the head, out of steps, or at memory that cannot be read. */
export type ListEnd = 'closed' | 'limit' | 'unreadable';

/** Results of {@link NativeMemory.commit} that are not the index of a guard. */
export const CommitResult = { changed: -1, heldAlready: -2, undone: -3 } as const;

/**
 * Physical memory as the native addon gives it: `/dev/mem`, or any file whose offsets are physical addresses.
 * Only whole pages of the ranges given to the constructor are touched. Calls throw Errors with a `code`:
 * EOPEN, ERANGES, EMAP, ECLOSED, EGUARD, ETARGET, EWRITE, EBUSY (native/*.h say when).
 */
export interface NativeMemory {
  readonly access: Access;
  /** Why mapping was refused: an errno, 0 if it was not. */
  readonly mapErrno: number;
  /**
   * Pieces of memory read so far, a count that does not depend on the machine's speed. Of a commit it counts, mapped, each
   * change of the window of 2 MiB. Byte-wise, each is one system call.
   */
  readonly reads: number;
  /** Triples of [virtualStart, virtualEnd, physicalStart): which virtual addresses lie in memory in one piece. */
  setLinearMap(pieces: BigUint64Array): void;
  /** Physical address by the linear map alone. */
  physical(address: bigint): bigint | undefined;
  /** Fills `out` from a physical address; false if that is not all System RAM or cannot be read. */
  readPhysical(address: bigint, out: Uint8Array): boolean;
  /**
   * Reads words of the structures at virtual addresses, of one column after the other. Of each address, `rows` gets a row:
   * the address, then each word, of which only the bits that count are not zeros; all zeros if it could not be read, as at
   * an address that is no multiple of 8. `rows` and `status` hold what the last call left there, and `status` gets a
   * {@link ReadStatus} for each. Returns how many are not `same`.
   */
  gather(...columns: GatheredRows | [...GatheredRows, ...GatheredRows]): number;
  /** Whether `gather` of all these columns, as the last call left them, would find each row as it is, read or not. */
  hold(...columns: readonly GatheredRows[number][]): boolean;
  /**
   * Walks a circular list from `head`: the pointer at `nextOffset` of each node, until it is `head` again or `visited`
   * is full. Of each node but the head, `length` bytes at `offset` go to `out` and its address to `visited`.
   */
  follow(
    head: bigint,
    nextOffset: number,
    offset: number,
    length: number,
    out: Uint8Array,
    visited: BigUint64Array,
  ): { count: number; end: ListEnd };
  /**
   * The guarded commit. `ways` holds at `at` the physical address of the structure to change, the number of guards, and
   * these: triples of [physical address, mask, expected]. `changes` are of [offset from the structure, width in bytes (1, 2
   * or 4), mask, value, which bits of the mask are read back]. Of each change in turn: re-reads every guard in order and,
   * only if all hold, changes the masked bits of the unit and reads back those that nobody else changes.
   * Returns `changed` if any was, or `heldAlready`; at the first change that does not come about, `undone` (somebody wrote the
   * bits again) or the index of the guard that does not hold: then it and what follows it was not written.
   */
  commit(ways: BigUint64Array, at: number, changes: BigUint64Array): number;
  close(): void;
}

/**
 * A netlink socket in a network namespace. Calls throw Errors with the system's `code`: EPERM where a capability is
 * missing, ENOBUFS from `receive` where datagrams were lost before the next one; ECLOSED after `close`.
 */
export interface NativeNetlinkSocket {
  /** Hears what is sent to a multicast group. */
  join(group: number): void;
  /** To the kernel. */
  send(bytes: Uint8Array): void;
  /** The next datagram from the kernel: its length, in bytes, which may be more than `out` holds; undefined if none waits. */
  receive(out: Uint8Array): number | undefined;
  /** Calls back as long as datagrams wait, or were lost; by itself it keeps no process running. Once per socket. */
  onReadable(callback: () => void): void;
  close(): void;
}

/** SO_PEERCRED (unix(7)): as this process's namespaces number them; 0 for a process of another PID namespace. */
export interface PeerCredentials {
  readonly pid: number;
  /** Effective, as the peer had them when it called connect(2) or, if it is the one who listens, listen(2). */
  readonly uid: number;
  readonly gid: number;
}

export interface Addon {
  /** Who is at the other end of a connected unix socket. @throws {Error} if the descriptor is no such socket. */
  readonly peerCredentials: (fd: number) => PeerCredentials;
  /** `namespaceFd`: an open /proc/PID/ns/net (another one than ours takes CAP_SYS_ADMIN); without it, our own. */
  readonly NetlinkSocket: new (protocol: number, namespaceFd: number | undefined) => NativeNetlinkSocket;
  readonly PhysicalMemory: new (
    path: string,
    ranges: BigUint64Array,
    access: Access | 'auto',
    writable: boolean,
  ) => NativeMemory;
  /**
   * From now on this process ignores a signal (sigaction(2), SIG_IGN), and so do the programs that it starts; for those
   * that Node has no name for. @throws {TypeError} if there is no signal of that number, or it cannot be ignored.
   */
  readonly ignoreSignal: (number: number) => void;
}

const require = createRequire(import.meta.url);

/**
 * Loads the native addon that `npm install` built.
 * @throws {KernelError} if it is not there or does not fit this node.
 */
export function loadAddon(): Addon {
  const nodeGypBuild = require('node-gyp-build') as (root: string) => Addon;
  try {
    return nodeGypBuild(packageRoot());
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new KernelError(
      'addon',
      `the native addon cannot be loaded: ${reason}`,
      `npm rebuild, in ${packageRoot()}, where g++, make and python3 are`,
      { cause: error },
    );
  }
}

/** The package's own folder, whether this file runs compiled from dist/ or as TypeScript from src/. */
function packageRoot(): string {
  return dirname(require.resolve('subflowd/package.json'));
}
