import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeFileInBackground } from '../../../src/util/background-file.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

let directory: string;
let file: string;

describe('a file that is written in the background', () => {
  beforeEach(() => {
    directory = temporaryDirectory();
    file = path.join(directory, 'file');
  });

  it('is replaced as a whole, and has its mode', async () => {
    writeFileSync(file, 'old and longer');
    await writeFileInBackground(file, 'new', 0o600);
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('stays as it is if it cannot be written, and no other file remains', async () => {
    mkdirSync(file);
    await expect(writeFileInBackground(file, 'new', 0o600)).rejects.toThrow(`${file} cannot be written: `);
    expect(readdirSync(directory)).toEqual(['file']);
    await expect(writeFileInBackground(path.join(directory, 'no', 'file'), '', 0o600)).rejects.toThrow(
      'ENOENT',
    );
  });
});
