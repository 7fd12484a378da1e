import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomically } from '../../../src/util/atomic-file.js';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-atomic-'));
  file = join(directory, 'file');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const modeOf = (path: string) => statSync(path).mode & 0o7777;

describe('a file that is written atomically', () => {
  it('has the requested mode if it is new, and no other file remains beside it', () => {
    const umask = process.umask(0o027);
    try {
      writeFileAtomically(file, 'one', 0o666);
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(file, 'utf8')).toBe('one');
    expect(modeOf(file)).toBe(0o640);
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('keeps the mode and owner that it had', () => {
    writeFileSync(file, 'one');
    chmodSync(file, 0o664);
    if (process.getuid?.() === 0) chownSync(file, 65_534, 65_534);
    const { uid, gid } = statSync(file);
    writeFileAtomically(file, 'two', 0o600);
    expect(readFileSync(file, 'utf8')).toBe('two');
    expect(statSync(file)).toMatchObject({ uid, gid });
    expect(modeOf(file)).toBe(0o664);
  });

  it('is the target if the path is a symbolic link', () => {
    mkdirSync(join(directory, 'elsewhere'));
    const target = join(directory, 'elsewhere', 'target');
    writeFileSync(target, 'one');
    symlinkSync(target, file);
    writeFileAtomically(file, 'two', 0o600);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('two');
    expect(readdirSync(join(directory, 'elsewhere'))).toEqual(['target']);
  });

  it('is written if an earlier process left a partly written one', () => {
    symlinkSync('/dev/null', `${file}.${process.pid}.new`);
    writeFileAtomically(file, 'one', 0o600);
    expect(readFileSync(file, 'utf8')).toBe('one');
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it.each<[string, () => unknown, string]>([
    [
      'a directory',
      () => {
        mkdirSync(file);
      },
      'it is not a regular file',
    ],
    ['a FIFO', () => execa('mkfifo', [file]), 'it is not a regular file'],
    [
      'a device',
      () => {
        symlinkSync('/dev/full', file);
      },
      'it is not a regular file',
    ],
  ])('does not replace %s', async (_what, make, why) => {
    await make();
    const before = lstatSync(file);
    expect(() => {
      writeFileAtomically(file, 'one', 0o600);
    }).toThrow(`${file} cannot be written: ${why}`);
    expect(lstatSync(file)).toMatchObject({ ino: before.ino, mode: before.mode });
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('is named in the error if its directory is missing', () => {
    const missing = join(directory, 'no', 'file');
    expect(() => {
      writeFileAtomically(missing, 'one', 0o600);
    }).toThrow(`${missing} cannot be written: ENOENT`);
  });
});
