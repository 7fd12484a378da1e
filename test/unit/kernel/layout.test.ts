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
  it.each(ALL_LAYOUTS)('is parsed to the same layout that was formatted: %s', (_, layout) => {
    const file = { release: '1.2.3', buildId: 'abcdef', symbols: new Map([['_text', 0x123n]]), layout };
    expect(parseLayout(formatLayout(file), 'x')).toEqual(file);
  });

  it('has one line for each member', async () => {
    const lines = (await text()).split('\n');
    expect(lines).toContain('    "task_struct.pid": { "offset": 960, "size": 4 },');
    expect(lines).toContain('      { "name": "request_bkup", "bitOffset": 770, "bitSize": 1 },');
  });

  it('is written completely or not at all', async () => {
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
    ['empty', () => '', /it is truncated or not JSON/],
    ['truncated', (whole) => whole.slice(0, whole.length / 2), /it is truncated or not JSON/],
    ['another JSON file', () => '{"name": "subflowd", "version": "1"}', /subflowdLayout: /],
    ['a list', () => '[]', /expected object/],
    [
      'from a later version',
      (whole) => whole.replace('Layout": 1', 'Layout": 2'),
      /from another version of subflowd/,
    ],
    ['one with an unknown key', (whole) => whole.replace('"release"', '"more": 1, "release"'), /more/],
    [
      'one with a negative offset',
      (whole) => whole.replace('"offset": 960', '"offset": -8'),
      /task_struct\.pid/,
    ],
    [
      'one with a huge offset',
      (whole) => whole.replace('"offset": 960', '"offset": 99999999'),
      /task_struct\.pid/,
    ],
    [
      'one with a fractional offset',
      (whole) => whole.replace('"offset": 960', '"offset": 0.5'),
      /task_struct\.pid/,
    ],
    [
      'one with text instead of a number',
      (whole) => whole.replace('"offset": 960', '"offset": "960"'),
      /task_struct\.pid/,
    ],
    ['one with a huge bit field', (whole) => whole.replace('"bitSize": 1 }', '"bitSize": 4096 }'), /bitSize/],
    ['one without a build-id', (whole) => whole.replace(/"buildId": "\w+"/, '"buildId": ""'), /buildId/],
    [
      'one with text instead of an address',
      (whole) => whole.replace(/"_text": "\w+"/, '"_text": "here"'),
      /_text/,
    ],
    ['full of zeros', (whole) => '\0'.repeat(whole.length), /it is truncated or not JSON/],
  ])('that is %s is refused, with the command that makes a layout', async (_, broken, message) => {
    const file = path.join(directory, 'layout.json');
    writeFileSync(file, broken(await text()));
    await expect(openKernel(sources, { layout: file })).rejects.toMatchObject({
      step: 'layout',
      message: expect.stringMatching(message) as string,
      remedy: expect.stringContaining('subflowd layout --vmlinux VMLINUX') as string,
    });
  });

  it.each<[string, (file: string) => Promise<unknown>, string]>([
    ['missing', () => Promise.resolve(), 'there is no such file'],
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

  it('of another build is refused, with both build-ids and the command that makes a layout', async () => {
    const file = path.join(directory, 'layout.json');
    writeFileSync(file, (await text()).replace('c0ffee00', 'deadbeef'));
    await expect(openKernel(sources, { layout: file })).rejects.toMatchObject({
      step: 'layout',
      message: expect.stringMatching(/build-id deadbeef.* the running kernel has c0ffee00/) as string,
      remedy: expect.stringContaining(`subflowd layout --vmlinux VMLINUX --output ${file}`) as string,
    });
  });

  it('is refused if the running kernel does not report its build-id', async () => {
    await expect(
      openKernel({ ...sources, notes: '/nonexistent' }, { layout: sources.layout }),
    ).rejects.toThrow('does not report its build-id');
  });

  it('is refused if its symbols contradict those of the running kernel', async () => {
    const file = path.join(directory, 'layout.json');
    writeFileSync(file, (await text()).replace(/("init_task": "0x[0-9a-f]+)000"/, '$1040"'));
    await expect(openKernel(sources, { layout: file })).rejects.toMatchObject({
      step: 'symbols',
      message: expect.stringMatching(
        /offset of init_task in the image is 0x1000 .* 0x1040 in the layout/,
      ) as string,
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

  it('is undefined if the notes have none, or a truncated one', () => {
    expect(buildIdOf(Buffer.alloc(0))).toBeUndefined();
    expect(buildIdOf(note(3, 'GNU', 'aa'.repeat(20)).subarray(0, 24))).toBeUndefined();
    expect(buildIdOf(note(3, 'GNU', ''))).toBeUndefined();
    expect(buildIdOf(note(3, 'GNU', 'aa'.repeat(65)))).toBeUndefined();
  });
});

describe('a kernel that does not report', () => {
  it('its structures needs a layout', async () => {
    await expect(openKernel(sources)).rejects.toMatchObject({
      step: 'layout',
      remedy: expect.stringMatching(/CONFIG_DEBUG_INFO_BTF=y, or make a layout .* subflowd layout/) as string,
    });
  });

  it('its symbols needs a layout', async () => {
    await expect(
      openKernel({ ...sources, kallsyms: '/dev/null' }, { layout: LINUX_6_1 }),
    ).rejects.toMatchObject({
      step: 'symbols',
      message: expect.stringContaining('kptr_restrict') as string,
      remedy: expect.stringContaining('subflowd layout') as string,
    });
  });

  it('any symbols, because it has no /proc/kallsyms (CONFIG_KALLSYMS=n), can be opened with a layout', async () => {
    const kernel = await openKernel({ ...sources, kallsyms: '/nonexistent' }, { layout: sources.layout });
    expect(kernel.proof).toContain('contains PID 1');
    expect(kernel.layoutOrigin).toBe(`${sources.layout}, of 4.4.83-image, build-id ${'c0ffee00'.repeat(5)}`);
    kernel.memory.close();
  });
});
