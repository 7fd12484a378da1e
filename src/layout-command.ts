import { writeLayout } from './kernel/layout/layout-file.js';
import { makeLayout } from './kernel/layout/make-layout.js';
import { print } from './output.js';
import { printable } from './util/printable.js';

/** Options of `subflowd layout`. */
export interface LayoutOptions {
  readonly vmlinux: string;
  readonly systemMap?: string;
  readonly output: string;
}

/** Makes a layout file, and prints what it is for. */
export async function runLayout({ vmlinux, systemMap, output }: LayoutOptions): Promise<void> {
  const layout = await makeLayout({
    vmlinux,
    ...(systemMap !== undefined && { systemMap }),
    progress: (what) => process.stderr.write(`${printable(what)}\n`),
  });
  writeLayout(output, layout);
  print(`${output}: layout of Linux ${layout.release}, build-id ${layout.buildId}`);
}
