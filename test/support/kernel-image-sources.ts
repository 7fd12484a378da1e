import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { KernelSources } from '../../src/kernel/kernel.js';
import { formatLayout } from '../../src/kernel/layout/layout-file.js';
import type { KernelImage } from './kernel-image.js';

/** The physical address of the kernel's code. */
export const CODE = 0x10_0000;

/** Writes the files that `openKernel` reads, and a layout file of this build. */
export function writeSources(image: KernelImage): KernelSources & { readonly layout: string } {
  const file = (name: string, content: string | Buffer) => {
    const full = path.join(image.directory, name);
    writeFileSync(full, content);
    return full;
  };
  const hex = (number: number) => number.toString(16).padStart(8, '0');
  const buildId = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';
  return {
    memory: file('mem', image.bytes),
    iomem: file(
      'iomem',
      `00000000-00000fff : Reserved\n00001000-${hex(image.bytes.length - 1)} : System RAM\n` +
        `  ${hex(CODE)}-001fffff : Kernel code\nfed00000-fed003ff : HPET 0\n`,
    ),
    kallsyms: file('kallsyms', kallsymsOf(image)),
    btf: path.join(image.directory, 'none'),
    notes: file(
      'notes',
      Buffer.concat([
        // first a note of another type, as the linker writes one
        Buffer.from('0400000004000000060000005858585801000000', 'hex'),
        Buffer.from(`040000001400000003000000474e5500${buildId}`, 'hex'),
      ]),
    ),
    layout: file(
      'layout.json',
      formatLayout({
        release: '4.4.83-image',
        buildId,
        symbols: new Map(
          symbolsOf(image).map(([address, , name]) => [name, address - image.options.slide] as const),
        ),
        layout: image.layout,
      }),
    ),
  };
}

function symbolsOf(image: KernelImage): (readonly [bigint, 'T' | 'D', string])[] {
  return [
    [image.text, 'T', '_text'],
    [image.text + 0x1f0n, 'T', '_stext'],
    [image.initTask, 'D', 'init_task'],
    [
      image.pgd,
      'D',
      image.options.directMap.base < 0xffff_8880_0000_0000n ? 'init_level4_pgt' : 'init_top_pgt',
    ],
    ...Object.entries(image.options.symbols).map(
      ([name, offset]) => [image.text + offset, 'T', name] as const,
    ),
    ...(image.options.isRandomised ? [[image.text + 0x8000n, 'D', 'page_offset_base'] as const] : []),
  ];
}

function kallsymsOf(image: KernelImage): string {
  const { kallsyms } = image.options;
  const shown = [...symbolsOf(image), [image.text + 0x9000n, 'T', 'init_task_work'] as const];
  return shown
    .filter(([, type]) => kallsyms !== 'code' || type === 'T')
    .map(([address, type, name]) => {
      const shownAddress = kallsyms === 'zeros' ? 0n : address;
      return `${shownAddress.toString(16).padStart(16, '0')} ${type} ${name}\n`;
    })
    .join('');
}
