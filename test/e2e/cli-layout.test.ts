import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLayout } from '../../src/kernel/layout/layout-file.js';
import { labKernel } from '../lab/kernel.js';
import { needs } from '../lab/needs.js';

const MAIN = path.resolve(import.meta.dirname, '../../dist/bundle/main.js');

describe('subflowd layout', () => {
  needs('guest');

  let directory: string;
  let vmlinux: string;
  /** The layout made from the vmlinux as it was built, with symbols, DWARF and BTF. */
  let whole: string;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'subflowd-layout-'));
    ({ vmlinux } = await labKernel());
    const { stdout } = await subflowd('--vmlinux', vmlinux, '--output', path.join(directory, 'whole.json'));
    expect(stdout).toMatch(/whole\.json: layout of Linux 6\.1\.\d+, build-id [0-9a-f]{40}$/);
    whole = await readFile(path.join(directory, 'whole.json'), 'utf8');
  }, 1_800_000);
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  function subflowd(...args: readonly string[]) {
    return execa(process.execPath, [MAIN, 'layout', ...args], { reject: false });
  }

  /** @returns a copy of the vmlinux in which these sections have another name, so that no program finds them. */
  async function without(...sections: readonly string[]): Promise<string> {
    const bytes = await readFile(vmlinux);
    for (const section of sections) {
      // The table of section names is at the end of the file. One name can be the end of another.
      const at = bytes.lastIndexOf(`${section}\0`);
      if (at < 0) throw new Error(`${vmlinux} has no section ${section}`);
      bytes.write('x', at + 1);
    }
    const file = path.join(directory, 'changed');
    await writeFile(file, bytes);
    return file;
  }

  it('makes the same layout from DWARF with pahole as from BTF, and reports what it reads meanwhile', async () => {
    const file = await without('.BTF');
    const output = path.join(directory, 'dwarf.json');
    const { stderr, exitCode } = await subflowd('--vmlinux', file, '--output', output);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain(`reading the debug information of ${file} with pahole`);
    expect(await readFile(output, 'utf8')).toBe(whole);
  }, 300_000);

  it('reads the symbols from System.map if the vmlinux has none', async () => {
    const file = await without('.symtab');
    const output = path.join(directory, 'map.json');
    const alone = await subflowd('--vmlinux', file, '--output', output);
    expect(alone).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--system-map') as string });
    const { stdout: map } = await execa('nm', ['-n', vmlinux], { maxBuffer: 100_000_000 });
    const systemMap = path.join(directory, 'System.map');
    await writeFile(systemMap, `${map}\n`);
    const { exitCode, stderr } = await subflowd(
      '--vmlinux',
      file,
      '--system-map',
      systemMap,
      '--output',
      output,
    );
    expect(exitCode, stderr).toBe(0);
    expect(parseLayout(await readFile(output, 'utf8'), output)).toEqual(parseLayout(whole, 'whole'));
    await writeFile(systemMap, map.replace(/^.* D init_task$/m, 'ffffffff81234000 D init_task'));
    expect(await subflowd('--vmlinux', vmlinux, '--system-map', systemMap, '--output', output)).toMatchObject(
      {
        exitCode: 1,
        stderr: expect.stringContaining('these files are from different builds') as string,
      },
    );
  }, 300_000);

  it.each<[string, () => Promise<string>, RegExp]>([
    [
      'a bzImage',
      async () => (await labKernel()).bzImage,
      /is not a vmlinux for x86_64[^]*not bzImage or vmlinuz/,
    ],
    [
      'another program',
      () => Promise.resolve(process.execPath),
      /has no build-id|no MPTCP|the symbols _text and init_task/,
    ],
    ['nothing', () => Promise.resolve('/nonexistent'), /\/nonexistent cannot be read/],
    ['a directory', () => Promise.resolve('/usr'), /is not a regular file/],
    [
      'the first half of one',
      async () => {
        const file = path.join(directory, 'half');
        await execa('head', ['-c', '20000000', vmlinux], { stdout: { file } });
        return file;
      },
      /is truncated/,
    ],
    [
      'one without debug information',
      () => without('.BTF', '.debug_info'),
      /pahole finds no structures[^]*CONFIG_DEBUG_INFO=y/,
    ],
  ])(
    'reports what is wrong with %s, and writes no file',
    async (_, file, message) => {
      const output = path.join(directory, 'none.json');
      const { exitCode, stderr } = await subflowd('--vmlinux', await file(), '--output', output);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n {4}at /);
      expect(exitCode).toBe(1);
      await expect(readFile(output)).rejects.toThrow('ENOENT');
    },
    120_000,
  );
});
