import type { Gathering } from '../memory/address-space.js';
import { Column, halves } from '../memory/column.js';
import type { OpenFiles } from './files.js';
import type { Layout } from '../layout/layout.js';
import { Pointers } from '../memory/pointers.js';
import { Shape, type Slot } from '../memory/shape.js';

// include/uapi/linux/stat.h
const S_IFMT = 0xf000;
const S_IFSOCK = 0xc000;

/** An open file that is a socket, and the addresses on the way to its `struct sock`. */
export interface SocketFile {
  readonly fd: number;
  readonly file: bigint;
  /** On the way from the file to the inode, on kernels before 3.9. */
  readonly dentry?: bigint;
  readonly inode: bigint;
  readonly socket: bigint;
  readonly sk: bigint;
}

/** The sockets among a process's files; one that is as it was at the last look is the same object. */
export interface SocketFiles {
  readonly files: readonly SocketFile[];
  /** The `sk` of each. */
  readonly socks: BigUint64Array;
}

/**
 * The sockets of one process: `file.f_inode` (before Linux 3.9 `f_path.dentry->d_inode`), and where the inode is a socket's,
 * the `struct socket` that lies with it in one `struct socket_alloc` (paper, section 3.3.2). Each step is one pass over all
 * files.
 */
export class Sockets {
  readonly #dentries: Pointers | undefined;
  readonly #inodes: Pointers;
  readonly #modeShape = new Shape();
  readonly #mode: Slot;
  readonly #modes: Column;
  /** From the inode back to the socket of the same socket_alloc, bytes. */
  readonly #toSocket: number;
  readonly #file: Slot;
  readonly #sk: Slot;
  readonly #rows: Column;
  /** By row of the files, and their descriptors. */
  #known: readonly (SocketFile | undefined)[] = [];
  #fds: Uint32Array = new Uint32Array(0);

  constructor(
    private readonly space: Gathering,
    layout: Layout,
  ) {
    const hasInode = layout.has('file', 'f_inode');
    this.#dentries = hasInode ? undefined : new Pointers(space, layout.field('file', 'f_path.dentry'));
    this.#inodes = new Pointers(
      space,
      hasInode ? layout.field('file', 'f_inode') : layout.field('dentry', 'd_inode'),
    );
    this.#mode = this.#modeShape.add(layout.field('inode', 'i_mode'));
    this.#modes = new Column(this.#modeShape);
    this.#toSocket =
      layout.field('socket_alloc', 'socket').offset - layout.field('socket_alloc', 'vfs_inode').offset;
    const shape = new Shape(this.#toSocket);
    this.#file = shape.add(layout.field('socket', 'file'));
    this.#sk = shape.add(layout.field('socket', 'sk'));
    this.#rows = new Column(shape);
  }

  look({ fds, addresses }: OpenFiles, problems: string[]): SocketFiles {
    const inodes = this.#inodes.read(this.#dentries?.read(addresses) ?? addresses);
    // of what is no socket, whatever lies there
    const modes = this.space.gather(inodes, this.#modeShape, this.#modes, this.#rows);
    const isSocket = (row: number) => (modes.u16(row, this.#mode) & S_IFMT) === S_IFSOCK;
    const rows = this.#rows;
    const own = halves(addresses);
    const known = new Array<SocketFile | undefined>(fds.length);
    const files: SocketFile[] = [];
    const socks = new BigUint64Array(fds.length);
    for (let row = 0; row < fds.length; row++) {
      if (!isSocket(row)) continue;
      const fd = fds[row] as number;
      // The socket points back at its file; a file that was closed meanwhile does not.
      if (!rows.isRead(row)) problems.push(`fd ${fd}: its socket cannot be read`);
      else if (rows.holds(row, this.#file, own, row) && !rows.isNull(row, this.#sk)) {
        const isSame = this.#fds[row] === fd && rows.isSame(row) && (this.#dentries?.isSame(row) ?? true);
        const file = (isSame ? this.#known[row] : undefined) ?? this.#describe(fd, row);
        known[row] = file;
        socks[files.length] = rows.u64(row, this.#sk);
        files.push(file);
      }
    }
    this.#known = known;
    this.#fds = fds;
    return { files, socks: socks.subarray(0, files.length) };
  }

  #describe(fd: number, row: number): SocketFile {
    const [rows, dentry] = [this.#rows, this.#dentries?.at(row)];
    const inode = rows.address(row);
    return {
      fd,
      file: rows.u64(row, this.#file),
      ...(dentry !== undefined && { dentry }),
      inode,
      socket: BigInt.asUintN(64, inode + BigInt(this.#toSocket)),
      sk: rows.u64(row, this.#sk),
    };
  }
}
