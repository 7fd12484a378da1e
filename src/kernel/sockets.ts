import type { AddressSpace } from './address_space.js';
import type { OpenFiles } from './files.js';
import type { Field, Layout } from './layout.js';

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

/**
 * The sockets among a process's files: `file.f_inode` (before Linux 3.9 `f_path.dentry->d_inode`), and where the inode is
 * a socket's, the `struct socket` that lies with it in one `struct socket_alloc` (paper, section 3.3.2). Each step is one
 * pass over all files.
 */
export function sockets(
  space: AddressSpace,
  layout: Layout,
  files: OpenFiles,
  problems: string[],
): SocketFile[] {
  const modeField = layout.field('inode', 'i_mode');
  const [fileField, skField] = [layout.field('socket', 'file'), layout.field('socket', 'sk')];
  // From the inode back to the socket of the same socket_alloc.
  const toSocket =
    BigInt(layout.field('socket_alloc', 'socket').offset) -
    BigInt(layout.field('socket_alloc', 'vfs_inode').offset);

  const dentries = layout.has('file', 'f_inode')
    ? undefined
    : pointers(space, files.addresses, layout.field('file', 'f_path.dentry'));
  const inodes = dentries
    ? pointers(space, dentries, layout.field('dentry', 'd_inode'))
    : pointers(space, files.addresses, layout.field('file', 'f_inode'));
  const inodeRows = space.gather(inodes, [modeField]);
  const isSocket = (row: number) =>
    inodeRows.isRead(row) && (inodeRows.u32(row, modeField) & S_IFMT) === S_IFSOCK;
  const places = BigUint64Array.from(inodes, (inode, row) =>
    isSocket(row) ? BigInt.asUintN(64, inode + toSocket) : 0n,
  );
  const socketRows = space.gather(places, [fileField, skField]);

  const found: SocketFile[] = [];
  for (const [row, file] of files.addresses.entries()) {
    if (!isSocket(row)) continue;
    const fd = files.fds[row] as number;
    // The socket points back at its file; a file that was closed meanwhile does not.
    if (!socketRows.isRead(row)) problems.push(`fd ${fd}: its socket cannot be read`);
    else if (socketRows.u64(row, fileField) === file && socketRows.u64(row, skField) !== 0n) {
      const [dentry, inode, socket] = [dentries?.[row], inodes[row] as bigint, places[row] as bigint];
      const sk = socketRows.u64(row, skField);
      found.push({ fd, file, ...(dentry !== undefined && { dentry }), inode, socket, sk });
    }
  }
  return found;
}

/** The same pointer of many structures; 0 where it cannot be read. */
function pointers(space: AddressSpace, addresses: BigUint64Array, field: Field): BigUint64Array {
  const rows = space.gather(addresses, [field]);
  return BigUint64Array.from(addresses, (_, row) => (rows.isRead(row) ? rows.u64(row, field) : 0n));
}
