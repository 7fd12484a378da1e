import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_ACCOUNTS_FILE_BYTES, readAccounts } from '../../../src/util/accounts.js';
import { requireGroup } from '../../../src/console/common/group.js';
import { MAX_SYSTEM_MAP_BYTES, makeLayout, readSystemMap } from '../../../src/kernel/layout/make-layout.js';
import { MAX_SECTION_BYTES } from '../../../src/kernel/layout/vmlinux.js';
import { readPasswordFile } from '../../../src/util/password-file.js';
import { readRegularFile, readRegularFileSync, UnusableFileError } from '../../../src/util/regular-file.js';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-regular-'));
  file = join(directory, 'file');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Paths that an admin may name by mistake. */
const OTHERS: readonly [string, (file: string) => unknown][] = [
  ['a FIFO that nobody writes to', (path) => execa('mkfifo', [path])],
  [
    'an endless device',
    (path) => {
      symlinkSync('/dev/zero', path);
    },
  ],
  [
    'an empty device',
    (path) => {
      symlinkSync('/dev/null', path);
    },
  ],
  [
    'a terminal',
    (path) => {
      symlinkSync('/dev/ptmx', path);
    },
  ],
  [
    'a directory',
    (path) => {
      mkdirSync(path);
    },
  ],
  ['a socket', (path) => listen(path)],
];

async function listen(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  server.unref();
}

/** Checks that the synchronous and the asynchronous function return the same. */
async function readBoth(path: string, most: number): Promise<string> {
  const read = (await readRegularFile(path, most)).toString();
  expect(readRegularFileSync(path, most).toString()).toBe(read);
  return read;
}

/** Checks that both functions throw the same error. */
async function refusal(path: string, most: number): Promise<unknown> {
  const refused: unknown = await readRegularFile(path, most).catch((error: unknown) => error);
  expect(() => readRegularFileSync(path, most)).toThrow((refused as Error).message);
  return refused;
}

describe('a file that an admin names', () => {
  it.each(OTHERS)('is refused at once if it is %s', async (_what, make) => {
    await make(file);
    const refused = await refusal(file, 1024);
    expect(refused).toBeInstanceOf(UnusableFileError);
    expect((refused as Error).message).toBe('is not a regular file');
  });

  it('may be as large as the limit, and not one byte larger', async () => {
    writeFileSync(file, 'x'.repeat(200_000));
    expect(await readBoth(file, 200_000)).toHaveLength(200_000);
    expect(await refusal(file, 199_680)).toMatchObject({ message: 'is larger than 195 KiB' });
    truncateSync(file, 2 ** 40);
    expect(await refusal(file, 1 << 20)).toMatchObject({ message: 'is larger than 1 MiB' });
  });

  it('is read completely if it is in /proc, where its size is 0', async () => {
    expect(await readBoth('/proc/self/limits', 65_536)).toContain('Max open files');
  });

  it('is named in the error of the system if it is missing', async () => {
    expect(await refusal(file, 1)).toMatchObject({ code: 'ENOENT' });
  });
});

describe('a password file', () => {
  it.each([
    ['secret', 'secret'],
    ['secret\r\nmore\n', 'secret'],
    [' with blanks \nx', ' with blanks '],
  ])('%j contains the password %j', (content, password) => {
    writeFileSync(file, content);
    expect(readPasswordFile(file)).toBe(password);
  });

  it.each(OTHERS)('is refused with its name if it is %s', async (_what, make) => {
    await make(file);
    expect(() => readPasswordFile(file)).toThrow(`${file} is not a regular file`);
  });

  it('is refused if it is missing, empty or too large', () => {
    expect(() => readPasswordFile(file)).toThrow(`${file} cannot be read: there is no such file`);
    writeFileSync(file, '\nsecret\n');
    expect(() => readPasswordFile(file)).toThrow(`the first line of ${file} is empty`);
    truncateSync(file, 2 ** 40);
    expect(() => readPasswordFile(file)).toThrow(`${file} is larger than 64 KiB`);
  });
});

describe('a System.map', () => {
  it('is refused with its name if it is larger than 256 MiB', async () => {
    writeFileSync(file, '');
    truncateSync(file, MAX_SYSTEM_MAP_BYTES + 1);
    await expect(readSystemMap(file)).rejects.toThrow(`${file} is larger than 256 MiB`);
  });
});

describe('a file like /etc/passwd', () => {
  it('is read as rows of fields, and refused if it is larger than 16 MiB', () => {
    writeFileSync(file, 'root:x:0:\nstaff:x:50:alice,bob\n');
    expect(readAccounts(file)).toEqual([['root', 'x', '0', ''], ['staff', 'x', '50', 'alice,bob'], ['']]);
    truncateSync(file, MAX_ACCOUNTS_FILE_BYTES + 1);
    expect(() => readAccounts(file)).toThrow('is larger than 16 MiB');
  });
});

describe('a vmlinux', () => {
  it('is refused if it has a section of more than 512 MiB', async () => {
    const header = Buffer.alloc(128);
    header.write('\x7fELF\x02\x01', 'latin1');
    header.writeUInt16LE(62, 18); // x86_64
    header.writeBigUInt64LE(64n, 40); // the table of sections
    header.writeUInt16LE(64, 58);
    header.writeUInt16LE(1, 60);
    header.writeBigUInt64LE(BigInt(MAX_SECTION_BYTES + 1), 64 + 32);
    writeFileSync(file, header);
    truncateSync(file, 2 ** 40);
    const layout = makeLayout({ vmlinux: file, progress: () => undefined });
    await expect(layout).rejects.toThrow(`${file} has a part of ${MAX_SECTION_BYTES + 1} bytes`);
  });

  it.each(OTHERS)('is refused with its name if it is %s', async (_what, make) => {
    await make(file);
    const layout = makeLayout({ vmlinux: file, progress: () => undefined });
    await expect(layout).rejects.toThrow(`${file} is not a regular file`);
  });

  it('is refused with its name if it cannot be read', async () => {
    // the first page of this file does not exist
    symlinkSync('/proc/self/mem', file);
    const layout = makeLayout({ vmlinux: file, progress: () => undefined });
    await expect(layout).rejects.toThrow(`layout: ${file} cannot be read: EIO`);
  });
});

it('a group is found in /etc/group', () => {
  expect(requireGroup('root')).toBe(0);
});
