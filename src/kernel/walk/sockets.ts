import type { Layout } from '../layout/layout.js';
import type { Gatherer } from '../memory/address-space.js';
import { FieldSelection, type Slot } from '../memory/field-selection.js';
import { FieldTable, toHalves } from '../memory/field-table.js';
import { PointerTable } from '../memory/pointer-table.js';
import type { OpenFiles } from './fd-table.js';

/** The bits of `i_mode` with the type of a file, and their value for a socket (include/uapi/linux/stat.h). */
export const S_IFMT = 0xf000;
export const S_IFSOCK = 0xc000;

/** An open file that is a socket, and the addresses from the file to its `struct sock`. */
export interface SocketFile {
  readonly fd: number;
  readonly file: bigint;
  /** Only before Linux 3.9, where the file leads to the inode through the dentry. */
  readonly dentry?: bigint;
  readonly inode: bigint;
  readonly socket: bigint;
  readonly sk: bigint;
}

/** The sockets among the files of a process. A socket that did not change since the last read is the same object. */
export interface SocketFiles {
  readonly files: readonly SocketFile[];
  /** The `sk` of each file. */
  readonly socks: BigUint64Array;
}

/**
 * Finds the sockets of one process. `file.f_inode` leads to the inode (before Linux 3.9 `f_path.dentry->d_inode`). An inode
 * of a socket lies in a `struct socket_alloc`, beside the `struct socket` (paper, section 3.3.2). Each step reads all files
 * in one native call.
 */
export class SocketReader {
  readonly #dentries: PointerTable | undefined;
  readonly #inodes: PointerTable;
  readonly #modeSelection = new FieldSelection();
  readonly #mode: Slot;
  readonly #modes: FieldTable;
  /** From the inode to the socket in the same socket_alloc, bytes. */
  readonly #toSocket: number;
  readonly #file: Slot;
  readonly #sk: Slot;
  readonly #sockets: FieldTable;
  /** The files of the last read and their descriptors, by row. */
  #lastFiles: readonly (SocketFile | undefined)[] = [];
  #lastFds: Uint32Array = new Uint32Array(0);

  constructor(
    private readonly space: Gatherer,
    layout: Layout,
  ) {
    const hasInode = layout.has('file', 'f_inode');
    this.#dentries = hasInode ? undefined : new PointerTable(space, layout.field('file', 'f_path.dentry'));
    this.#inodes = new PointerTable(
      space,
      hasInode ? layout.field('file', 'f_inode') : layout.field('dentry', 'd_inode'),
    );
    this.#mode = this.#modeSelection.add(layout.field('inode', 'i_mode'));
    this.#modes = new FieldTable(this.#modeSelection);
    this.#toSocket =
      layout.field('socket_alloc', 'socket').offset - layout.field('socket_alloc', 'vfs_inode').offset;
    const selection = new FieldSelection(this.#toSocket);
    this.#file = selection.add(layout.field('socket', 'file'));
    this.#sk = selection.add(layout.field('socket', 'sk'));
    this.#sockets = new FieldTable(selection);
  }

  /** @param problems receives a message for each socket that cannot be read. */
  read({ fds, addresses }: OpenFiles, problems: string[]): SocketFiles {
    const inodes = this.#inodes.read(this.#dentries?.read(addresses) ?? addresses);
    // This also reads beside inodes that are not sockets. Those rows are ignored below.
    const modes = this.space.gather(inodes, this.#modeSelection, this.#modes, this.#sockets);
    const isSocket = (row: number) => (modes.u16(row, this.#mode) & S_IFMT) === S_IFSOCK;
    const sockets = this.#sockets;
    const halves = toHalves(addresses);
    const byRow = new Array<SocketFile | undefined>(fds.length);
    const files: SocketFile[] = [];
    const socks = new BigUint64Array(fds.length);
    for (let row = 0; row < fds.length; row++) {
      if (!isSocket(row)) continue;
      const fd = fds[row] as number;
      if (!sockets.isRead(row)) {
        problems.push(`fd ${fd}: its socket cannot be read`);
        continue;
      }
      // A socket points back to its file. After a close it does not.
      if (!sockets.pointerEquals(row, this.#file, halves, row) || sockets.isNull(row, this.#sk)) continue;
      const isUnchanged =
        this.#lastFds[row] === fd && sockets.isUnchanged(row) && (this.#dentries?.isUnchanged(row) ?? true);
      const file = (isUnchanged ? this.#lastFiles[row] : undefined) ?? this.#describe(fd, row);
      byRow[row] = file;
      socks[files.length] = sockets.u64(row, this.#sk);
      files.push(file);
    }
    this.#lastFiles = byRow;
    this.#lastFds = fds;
    return { files, socks: socks.subarray(0, files.length) };
  }

  #describe(fd: number, row: number): SocketFile {
    const [sockets, dentry] = [this.#sockets, this.#dentries?.pointer(row)];
    const inode = sockets.address(row);
    return {
      fd,
      file: sockets.u64(row, this.#file),
      ...(dentry !== undefined && { dentry }),
      inode,
      socket: BigInt.asUintN(64, inode + BigInt(this.#toSocket)),
      sk: sockets.u64(row, this.#sk),
    };
  }
}
