const magic = '070701';
const regularExecutable = 0o100755;
const characterDevice = 0o020600;
const directory = 0o040755;

/** An uncompressed initramfs ("newc" cpio, the kernel's Documentation/driver-api/early-userspace) that holds one program as /init. */
export function initramfs(init: Buffer): Buffer {
  return Buffer.concat([
    entry('dev', directory),
    // Without it the first process has no stdout, and its messages go nowhere.
    entry('dev/console', characterDevice, Buffer.alloc(0), [5, 1]),
    entry('init', regularExecutable, init),
    entry('TRAILER!!!', 0),
  ]);
}

function entry(
  name: string,
  mode: number,
  data: Buffer = Buffer.alloc(0),
  [major, minor]: readonly [number, number] = [0, 0],
): Buffer {
  const nameSize = Buffer.byteLength(name) + 1;
  // ino, mode, uid, gid, nlink, mtime, filesize, dev (2), rdev (2), namesize, check
  const fields = [0, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, nameSize, 0];
  const header = magic + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([padded(Buffer.from(`${header}${name}\0`)), padded(data)]);
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
