import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, checkout } from '../checkout.js';
import { initramfs } from './cpio.js';

/** The guest's initramfs, made once per version of init.c. */
export async function guestInitramfs(): Promise<string> {
  const source = path.join(checkout, 'test/lab/guest/init.c');
  const key = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
    .slice(0, 16);
  const file = path.join(cacheDirectory(), 'initramfs', `${key}.cpio`);
  if (existsSync(file)) return file;

  await mkdir(path.dirname(file), { recursive: true });
  const work = await mkdtemp(`${file}.`);
  try {
    const program = path.join(work, 'init');
    await execa('gcc', ['-static', '-Os', '-s', '-Wall', '-Wextra', '-o', program, source]);
    await writeFile(path.join(work, 'cpio'), initramfs(await readFile(program)));
    await rename(path.join(work, 'cpio'), file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}
