import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildIdOf } from '../../../src/kernel/layout/build-id.js';
import { openKernel, type KernelSources } from '../../../src/kernel/kernel.js';
import {
  formatLayout,
  parseLayout,
  readLayout,
  writeLayout,
} from '../../../src/kernel/layout/layout-file.js';
import { ALL_LAYOUTS, LINUX_6_1 } from '../../support/layouts.js';
import { KernelImage } from '../../support/kernel-image.js';

let directory: string;
let image: KernelImage;
let sources: KernelSources & { readonly layout: string };

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'subflowd-layout-'));
  image = new KernelImage(LINUX_6_1, { size: 0x24_0000 });
  sources = image.sources();
});
afterEach(() => {
  image.remove();
  rmSync(directory, { recursive: true });
});

const text = () => readFile(sources.layout, 'utf8');

describe('a layout in a file', () => {
  it.each(ALL_LAYOUTS)('is the same when it is read again: %s', (_, layout) => {
    const file = { release: '1.2.3', buildId: 'abcdef', symbols: new Map([['_text', 0x123n]]), layout };
    expect(parseLayout(formatLayout(file), 'x')).toEqual(file);
  });

  it('has a line for each member, for people', async () => {
    const lines = (await text()).split('\n');
    expect(lines).toContain('    "task_struct.pid": { "offset": 960, "size": 4 },');
    expect(lines).toContain('      { "name": "request_bkup", "bitOffset": 770, "bitSize": 1 },');
  });

  it('is written whole or not at all', async () => {
    const file = path.join(directory, 'layout.json');
    writeLayout(file, parseLayout(await text(), 'x'));
    expect(await readFile(file, 'utf8')).toBe(await text());
    const layout = parseLayout(await text(), 'x');
    expect(() => {
      writeLayout(path.join(directory, 'no', 'x'), layout);
    }).toThrow('ENOENT');
    expect(readdirSync(directory)).toEqual(['layout.json']);
  });

  it.each<[string, (whole: string) => string, RegExp]>([
    ['empty', () => '', /it is cut off or no JSON/],
    ['cut off', (whole) => whole.slice(0, whole.length / 2), /it is cut off or no JSON/],
    ['of something else', () => '{"name": "subflowd", "version": "1"}', /subflowdLayout: /],
    ['a list', () => '[]', /expected object/],
    [
      'of a later form',
      (whole) => whole.replace('Layout": 1', 'Layout": 2'),
      /of another version of subflowd/,
    ],
    ['with more in it', (whole) => whole.replace('"release"', '"more": 1, "release"'), /more/],
    ['with a negative offset', (whole) => whole.replace('"offset": 960', '"offset": -8'), /task_struct\.pid/],
    [
      'with a wild offset',
      (whole) => whole.replace('"offset": 960', '"offset": 99999999'),
      /task_struct\.pid/,
    ],
    ['with half an offset', (whole) => whole.replace('"offset": 960', '"offset": 0.5'), /task_struct\.pid/],
    [
      'with words for numbers',
      (whole) => whole.replace('"offset": 960', '"offset": "960"'),
      /task_struct\.pid/,
    ],
    ['with a wild bit', (whole) => whole.replace('"bitSize": 1 }', '"bitSize": 4096 }'), /bitSize/],
    ['without a build-id', (whole) => whole.replace(/"buildId": "\w+"/, '"buildId": ""'), /buildId/],
    [
      'with a symbol that is no address',
      (whole) => whole.replace(/"_text": "\w+"/, '"_text": "here"'),
      /_text/,
    ],
    ['of zeros', (whole) => '\0'.repeat(whole.length), /it is cut off or no JSON/],
  ])('that is %s is refused, with what makes a right one', async (_, broken, message) => {
    const file = path.join(directory, 'layout.json');
    writeFileSync(file, broken(await text()));
    await expect(openKernel(sources, { layout: file })).rejects.toMatchObject({
      step: 'layout',
      message: expect.stringMatching(message) as string,
      remedy: expect.stringContaining('subflowd layout --vmlinux VMLINUX') as string,
    });
  });

  it.each<[string, (file: string) => Promise<unknown>, string]>([
    ['missing', () => Promise.resolve(), 'ENOENT'],
    ['a directory', (file) => execa('mkdir', [file]), 'is not a regular file'],
    ['a FIFO', (file) => execa('mkfifo', [file]), 'is not a regular file'],
    ['a device', (file) => symlink('/dev/zero', file), 'is not a regular file'],
    ['huge', (file) => execa('truncate', ['-s', '1G', file]), 'larger than 1 MiB'],
  ])('that is %s is refused', async (_, make, message) => {
    const file = path.join(directory, 'layout.json');
    await make(file);
    await expect(readLayout(file, sources.notes)).rejects.toMatchObject({
      step: 'layout',
      message: expect.stringContaining(message) as string,
    });
  });

  it('of another build is refused, with both build-ids and the command that makes the right one', async () => {
    const file = path.join(directory, 'layout.json');
    writeFileSync(file, (await text()).replace('c0ffee00', 'deadbeef'));
    await expect(openKernel(sources, { layout: file })).rejects.toMatchObject({
      step: 'layout',
      message: expect.stringMatching(/build-id deadbeef.* the running kernel has c0ffee00/) as string,
      remedy: expect.stringContaining(`subflowd layout --vmlinux VMLINUX --output ${file}`) as string,
    });
  });

  it('is refused where the running kernel does not tell its build-id', async () => {
    await expect(
      openKernel({ ...sources, notes: '/nonexistent' }, { layout: sources.layout }),
    ).rejects.toThrow('does not tell its own');
  });

  it('is refused where its symbols contradict those of the running kernel', async () => {
    const file = path.join(directory, 'layout.json');
    writeFileSync(file, (await text()).replace(/("init_task": "0x[0-9a-f]+)000"/, '$1040"'));
    await expect(openKernel(sources, { layout: file })).rejects.toMatchObject({
      step: 'symbols',
      message: expect.stringMatching(/init_task is 0x1000 behind .* 0x1040 by the layout/) as string,
    });
  });
});

describe('a build-id', () => {
  const note = (type: number, name: string, bytes: string) => {
    const [label, content] = [Buffer.from(`${name}\0`), Buffer.from(bytes, 'hex')];
    const header = Buffer.alloc(12);
    header.writeUInt32LE(label.length, 0);
    header.writeUInt32LE(content.length, 4);
    header.writeUInt32LE(type, 8);
    return Buffer.concat([header, label, Buffer.alloc((4 - (label.length % 4)) % 4), content]);
  };

  it('is found among notes of other kinds', () => {
    const notes = [
      note(1, 'Xen', '00112233'),
      note(5, 'GNU', '0011223344556677'),
      note(3, 'GNU', 'aa'.repeat(20)),
    ];
    expect(buildIdOf(Buffer.concat(notes))).toBe('aa'.repeat(20));
  });

  it('is not made up', () => {
    expect(buildIdOf(Buffer.alloc(0))).toBeUndefined();
    expect(buildIdOf(note(3, 'GNU', 'aa'.repeat(20)).subarray(0, 24))).toBeUndefined();
    expect(buildIdOf(note(3, 'GNU', ''))).toBeUndefined();
    expect(buildIdOf(note(3, 'GNU', 'aa'.repeat(65)))).toBeUndefined();
  });
});

describe('a kernel that does not tell', () => {
  it('its structures asks for a layout', async () => {
    await expect(openKernel(sources)).rejects.toMatchObject({
      step: 'layout',
      remedy: expect.stringMatching(/CONFIG_DEBUG_INFO_BTF=y, or make a layout .* subflowd layout/) as string,
    });
  });

  it('its symbols asks for a layout', async () => {
    await expect(
      openKernel({ ...sources, kallsyms: '/dev/null' }, { layout: LINUX_6_1 }),
    ).rejects.toMatchObject({
      step: 'symbols',
      message: expect.stringContaining('kptr_restrict') as string,
      remedy: expect.stringContaining('subflowd layout') as string,
    });
  });

  it('any symbols, without /proc/kallsyms (CONFIG_KALLSYMS=n), is opened by a layout', async () => {
    const kernel = await openKernel({ ...sources, kallsyms: '/nonexistent' }, { layout: sources.layout });
    expect(kernel.proof).toContain('PID 1 is on it');
    expect(kernel.origin).toBe(`${sources.layout}, of 4.4.83-image, build-id ${'c0ffee00'.repeat(5)}`);
    kernel.memory.close();
  });
});
