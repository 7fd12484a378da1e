import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { releaseOf, timekeepingWords } from '../../lab/guest/bz-image.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'bz-image-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function image(signature: string, version: string): string {
  const bytes = Buffer.alloc(0x4000);
  bytes.write(signature, 0x202);
  bytes.writeUInt16LE(0x3000, 0x20e);
  bytes.write(`${version}\0`, 0x3200);
  const file = path.join(directory, 'bzImage');
  writeFileSync(file, bytes);
  return file;
}

it('a kernel’s image tells its release', () => {
  expect(releaseOf(image('HdrS', '4.14.67 (me@here) #1 SMP'))).toBe('4.14.67');
  expect(releaseOf(image('HdrS', ''))).toBeUndefined();
  expect(releaseOf(image('ELF!', '4.14.67'))).toBeUndefined();
});

it.each([
  ['3.18.11', 'nolapic_timer'],
  ['5.4.61', 'nolapic_timer'],
  ['5.6.0', ''],
  ['6.1.192', ''],
  [undefined, ''],
])('Linux %s gets %j', (release, words) => {
  expect(timekeepingWords(release)).toBe(words);
});
