import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomically } from '../../util/atomic-file.js';
import { unreadable } from '../../util/denied.js';
import { readRegularFile } from '../../util/regular-file.js';
import { buildIdOf } from './build-id.js';
import { KernelError } from '../../model/kernel-error.js';
import { Layout } from './layout.js';
import type { Symbols } from './symbols.js';

/** The command that makes a layout, for messages that ask for one. */
export const MAKE_LAYOUT =
  'make a layout from the running kernel’s build and name it in subflowd.ini, [kernel] layout: ' +
  'subflowd layout --vmlinux VMLINUX --output /etc/subflowd/layout.json';

/** A layout on disk: for one exact build, with the symbols of that build. */
export interface LayoutFile {
  /** `uname -r`. */
  readonly release: string;
  /** Hexadecimal. */
  readonly buildId: string;
  /** As linked: where they lie without KASLR. */
  readonly symbols: Symbols;
  readonly layout: Layout;
}

/** A layout is of some kilobytes. */
export const MAX_FILE_BYTES = 1 << 20;
/** No structure of the kernel is as large as this, bytes. */
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
  subflowdLayout: z.literal(1, { error: 'it is of another version of subflowd' }),
  release: z.string(),
  buildId: z.string().regex(/^[0-9a-f]{2,128}$/),
  symbols: z.record(z.string(), z.string().regex(/^0x[0-9a-f]{1,16}$/)),
  fields: z.record(z.string(), z.strictObject({ offset: z.int().min(0).max(MAX_OFFSET), size })),
  bits: z.record(z.string(), bits),
});

/** A layout as text: JSON, a member to a line. */
export function formatLayout({ release, buildId, symbols, layout }: LayoutFile): string {
  const data = {
    subflowdLayout: 1,
    release,
    buildId,
    symbols: Object.fromEntries([...symbols].map(([name, address]) => [name, `0x${address.toString(16)}`])),
    ...layout.data,
  };
  // members are objects of numbers and names only: each on one line
  return `${JSON.stringify(data, undefined, 2).replace(/\{\s+("(?:offset|name)"[^{}]*?)\s+\}/g, (_, inside: string) => `{ ${inside.replace(/\s+/g, ' ')} }`)}\n`;
}

/** @throws {KernelError} for a text that is no whole layout, with the file's name and what is wrong. */
export function parseLayout(text: string, file: string): LayoutFile {
  const refuse = (what: string, cause?: unknown) =>
    new KernelError('layout', `${file} is no usable layout: ${what}`, MAKE_LAYOUT, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refuse(`it is cut off or no JSON (${(error as Error).message})`, error);
  }
  const { success, data, error } = schema.safeParse(json);
  if (!success) {
    const [first] = error.issues;
    throw refuse(`${first?.path.join('.') ?? ''}: ${first?.message ?? 'it has another form'}`, error);
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
 * Reads a layout and makes sure that it is the running kernel's.
 * @param notes the running kernel's, `/sys/kernel/notes`.
 * @throws {KernelError} if it cannot be read, is none, or belongs to another build.
 */
export async function readLayout(file: string, notes: string): Promise<LayoutFile> {
  let text: Buffer;
  try {
    text = await readRegularFile(file, MAX_FILE_BYTES);
  } catch (error) {
    throw new KernelError('layout', unreadable(file, error), MAKE_LAYOUT, { cause: error });
  }
  const layout = parseLayout(text.toString('utf8'), file);
  const running = await runningBuildId(notes);
  if (running !== layout.buildId) {
    throw new KernelError(
      'layout',
      `${file} belongs to another build: ${layout.release}, build-id ${layout.buildId}; ` +
        `the running kernel ${running === undefined ? `does not tell its own (${notes})` : `has ${running}`}`,
      `subflowd layout --vmlinux VMLINUX --output ${file}, with the running kernel’s own vmlinux`,
    );
  }
  return layout;
}

/** The running kernel's build-id, or undefined if it does not tell. */
export async function runningBuildId(notes: string): Promise<string | undefined> {
  try {
    return buildIdOf(await readFile(notes));
  } catch {
    return undefined;
  }
}

/** Writes a layout so that at no moment half of one stands there. @throws {Error} naming the file. */
export function writeLayout(file: string, layout: LayoutFile): void {
  writeFileAtomically(file, formatLayout(layout), 0o644);
}
