import type { AddressSpace } from './address_space.js';
import type { OpenFiles } from './files.js';
import type { Layout } from './layout.js';

// include/uapi/linux/stat.h
const S_IFMT = 0xf000;
const S_IFSOCK = 0xc000;

/** An open file that is a socket, and the addresses on the way to its `struct sock`. */
export interface SocketFile {
  readonly fd: number;
  readonly file: bigint;
  readonly inode: bigint;
  readonly socket: bigint;
  readonly sk: bigint;
}

/**
 * The sockets among a process's files: `file.f_inode`, and where the inode is a socket's, the `struct socket` that lies
 * with it in one `struct socket_alloc` (paper, section 3.3.2). Each step is one pass over all files.
 */
export function sockets(
  space: AddressSpace,
  layout: Layout,
  files: OpenFiles,
  problems: string[],
): SocketFile[] {
  const inodeField = layout.field('file', 'f_inode');
  const modeField = layout.field('inode', 'i_mode');
  const [fileField, skField] = [layout.field('socket', 'file'), layout.field('socket', 'sk')];
  // From the inode back to the socket of the same socket_alloc.
  const toSocket =
    BigInt(layout.field('socket_alloc', 'socket').offset) -
    BigInt(layout.field('socket_alloc', 'vfs_inode').offset);

  const fileRows = space.gather(files.addresses, [inodeField]);
  const inodes = BigUint64Array.from(files.addresses, (_, row) =>
    fileRows.isRead(row) ? fileRows.u64(row, inodeField) : 0n,
  );
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
      const [inode, socket] = [inodes[row] as bigint, places[row] as bigint];
      found.push({ fd, file, inode, socket, sk: socketRows.u64(row, skField) });
    }
  }
  return found;
}
