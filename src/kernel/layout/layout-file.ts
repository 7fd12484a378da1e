import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomically } from '../../util/atomic-file.js';
import { whyUnreadable } from '../../util/denied.js';
import { readRegularFile } from '../../util/regular-file.js';
import { buildIdOf } from './build-id.js';
import { KernelError } from '../../model/kernel-error.js';
import { Layout } from './layout.js';
import type { Symbols } from './symbols.js';

/** The command that makes a layout, as a remedy. */
export const MAKE_LAYOUT =
  'make a layout from the build of the running kernel and set it in subflowd.ini, [kernel] layout: ' +
  'subflowd layout --vmlinux VMLINUX --output /etc/subflowd/layout.json';

/** The contents of a layout file: the layout and the symbols of one kernel build. */
export interface LayoutFile {
  /** `uname -r`. */
  readonly release: string;
  /** Hexadecimal. */
  readonly buildId: string;
  /** Addresses as linked, without KASLR. */
  readonly symbols: Symbols;
  readonly layout: Layout;
}

/** A layout file has a few kilobytes. */
export const MAX_FILE_BYTES = 1 << 20;
/** Every structure of the kernel is smaller than this, bytes. */
const MAX_OFFSET = 1 << 20;

const size = z.int().min(1).max(MAX_OFFSET);
const bits = z.array(
  z.strictObject({
    name: z.string(),
    bitOffset: z
      .int()
      .min(0)
      .max(MAX_OFFSET * 8),
    bitSize: z.int().min(1).max(64),
  }),
);
const schema = z.strictObject({
  subflowdLayout: z.literal(1, { error: 'it is from another version of subflowd' }),
  release: z.string(),
  buildId: z.string().regex(/^[0-9a-f]{2,128}$/),
  symbols: z.record(z.string(), z.string().regex(/^0x[0-9a-f]{1,16}$/)),
  fields: z.record(z.string(), z.strictObject({ offset: z.int().min(0).max(MAX_OFFSET), size })),
  bits: z.record(z.string(), bits),
});

/** Formats a layout as JSON with one line for each member. */
export function formatLayout({ release, buildId, symbols, layout }: LayoutFile): string {
  const data = {
    subflowdLayout: 1,
    release,
    buildId,
    symbols: Object.fromEntries([...symbols].map(([name, address]) => [name, `0x${address.toString(16)}`])),
    ...layout.data,
  };
  // Put each member on one line. A member is an object without nested objects.
  return `${JSON.stringify(data, undefined, 2).replace(/\{\s+("(?:offset|name)"[^{}]*?)\s+\}/g, (_, inside: string) => `{ ${inside.replace(/\s+/g, ' ')} }`)}\n`;
}

/**
 * Parses the text of a layout file.
 * @param file its name, for error messages.
 * @throws {KernelError} if the text is not a complete layout.
 */
export function parseLayout(text: string, file: string): LayoutFile {
  const refuse = (what: string, cause?: unknown) =>
    new KernelError('layout', `${file} is not a usable layout: ${what}`, MAKE_LAYOUT, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refuse(`it is truncated or not JSON (${(error as Error).message})`, error);
  }
  const { success, data, error } = schema.safeParse(json);
  if (!success) {
    const [first] = error.issues;
    throw refuse(
      `${first?.path.join('.') ?? ''}: ${first?.message ?? 'it has a different structure'}`,
      error,
    );
  }
  const { release, buildId, symbols, fields, bits } = data;
  return {
    release,
    buildId,
    symbols: new Map(Object.entries(symbols).map(([name, address]) => [name, BigInt(address)])),
    layout: new Layout({ fields, bits }),
  };
}

/**
 * Reads a layout file and checks that it belongs to the running kernel.
 * @param notes path of the running kernel's ELF notes, `/sys/kernel/notes`.
 * @throws {KernelError} if the file cannot be read, is not a layout, or belongs to another build.
 */
export async function readLayout(file: string, notes: string): Promise<LayoutFile> {
  let text: Buffer;
  try {
    text = await readRegularFile(file, MAX_FILE_BYTES);
  } catch (error) {
    throw new KernelError('layout', whyUnreadable(file, error), MAKE_LAYOUT, { cause: error });
  }
  const layout = parseLayout(text.toString('utf8'), file);
  const running = await runningBuildId(notes);
  if (running !== layout.buildId) {
    throw new KernelError(
      'layout',
      `${file} belongs to another build: ${layout.release}, build-id ${layout.buildId}; ` +
        `the running kernel ${running === undefined ? `does not report its build-id (${notes})` : `has ${running}`}`,
      `subflowd layout --vmlinux VMLINUX --output ${file}, with the vmlinux of the running kernel`,
    );
  }
  return layout;
}

/** The build-id of the running kernel, or undefined if it does not report one. */
export async function runningBuildId(notes: string): Promise<string | undefined> {
  try {
    return buildIdOf(await readFile(notes));
  } catch {
    return undefined;
  }
}

/** Writes a layout file atomically. @throws {Error} with the name of the file. */
export function writeLayout(file: string, layout: LayoutFile): void {
  writeFileAtomically(file, formatLayout(layout), 0o644);
}
