import type { FileHandle } from 'node:fs/promises';
import { whyUnreadable } from '../../util/denied.js';
import { openRegularFile } from '../../util/regular-file.js';
import { KernelError } from '../../model/kernel-error.js';
import { WANTED_SYMBOLS, type Symbols } from './symbols.js';

// elf(5)
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2 /* ELFCLASS64 */, 1 /* ELFDATA2LSB */]);
const EM_X86_64 = 62;
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const SHT_NOBITS = 8;
/** A vmlinux has dozens of sections, or thousands if it was built with -ffunction-sections. */
const MAX_SECTIONS = 0xff00;
/** The symbol table and the read-only data of a kernel have some tens of megabytes. */
export const MAX_SECTION_BYTES = 1 << 29;

interface Section {
  readonly name: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

/** The output of the kernel's linker. The file may have a gigabyte, so only the requested sections are read. */
export class Vmlinux {
  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
    private readonly sections: readonly Section[],
    private readonly names: Buffer,
  ) {}

  /** @throws {KernelError} if the file is truncated, or not a vmlinux for x86_64. */
  static async open(path: string): Promise<Vmlinux> {
    let file: FileHandle;
    try {
      file = await openRegularFile(path);
    } catch (error) {
      throw new KernelError('layout', whyUnreadable(path, error), undefined, { cause: error });
    }
    try {
      const header = await readPart(path, file, 0, HEADER_BYTES);
      if (!header.subarray(0, MAGIC.length).equals(MAGIC) || header.readUInt16LE(18) !== EM_X86_64) {
        throw new KernelError(
          'layout',
          `${path} is not a vmlinux for x86_64`,
          'give the uncompressed vmlinux of the build, with debug information, and not bzImage or vmlinuz',
        );
      }
      const count = header.readUInt16LE(60);
      if (header.readUInt16LE(58) !== SECTION_BYTES || count === 0 || count > MAX_SECTIONS) {
        throw new KernelError('layout', `${path} has no section table`);
      }
      const table = await readPart(path, file, Number(header.readBigUInt64LE(40)), count * SECTION_BYTES);
      const sections = Array.from({ length: count }, (_, index): Section => {
        const at = index * SECTION_BYTES;
        return {
          name: table.readUInt32LE(at),
          type: table.readUInt32LE(at + 4),
          offset: Number(table.readBigUInt64LE(at + 24)),
          size: Number(table.readBigUInt64LE(at + 32)),
          link: table.readUInt32LE(at + 40),
        };
      });
      const names = sections[header.readUInt16LE(62)];
      if (!names) throw new KernelError('layout', `${path} has no section names`);
      return new Vmlinux(path, file, sections, await readPart(path, file, names.offset, names.size));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The contents of a section, or undefined if there is no section with this name. */
  async section(name: string): Promise<Buffer | undefined> {
    const found = this.sections.find((section) => textAt(this.names, section.name) === name);
    return found && found.type !== SHT_NOBITS ? this.#read(found) : undefined;
  }

  /** The wanted symbols; none if the file is stripped. */
  async symbols(): Promise<Symbols> {
    const table = this.sections.find(({ name }) => textAt(this.names, name) === '.symtab');
    const strings = table && this.sections[table.link];
    if (!table || !strings) return new Map();
    const [entries, texts] = [await this.#read(table), await this.#read(strings)];
    const wanted = new Map<number, string>();
    for (const name of WANTED_SYMBOLS) {
      // The linker may store a name as the end of a longer one, so a name can have several offsets.
      for (let at = texts.indexOf(`${name}\0`); at >= 0; at = texts.indexOf(`${name}\0`, at + 1)) {
        wanted.set(at, name);
      }
    }
    const symbols = new Map<string, bigint>();
    for (let at = 0; at + SYMBOL_BYTES <= entries.length; at += SYMBOL_BYTES) {
      const name = wanted.get(entries.readUInt32LE(at));
      const address = entries.readBigUInt64LE(at + 8);
      if (name !== undefined && address !== 0n) symbols.set(name, address);
    }
    return new Map(
      WANTED_SYMBOLS.flatMap((name) => (symbols.has(name) ? [[name, symbols.get(name) as bigint]] : [])),
    );
  }

  close(): Promise<void> {
    return this.file.close();
  }

  #read({ offset, size }: Section): Promise<Buffer> {
    return readPart(this.path, this.file, offset, size);
  }
}

async function readPart(path: string, file: FileHandle, offset: number, size: number): Promise<Buffer> {
  if (size > MAX_SECTION_BYTES)
    throw new KernelError(
      'layout',
      `${path} has a part of ${size} bytes, and the limit is ${MAX_SECTION_BYTES}`,
    );
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size;) {
    const { bytesRead } = await file.read(bytes, done, size - done, offset + done).catch((error: unknown) => {
      throw new KernelError('layout', whyUnreadable(path, error), undefined, { cause: error });
    });
    if (bytesRead === 0) throw new KernelError('layout', `${path} is truncated`);
    done += bytesRead;
  }
  return bytes;
}

function textAt(strings: Buffer, at: number): string {
  const end = strings.indexOf(0, at);
  return strings.toString('latin1', at, end < 0 ? undefined : end);
}
