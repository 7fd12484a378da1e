import { closeSync, openSync, readSync } from 'node:fs';

// Documentation/x86/boot.txt: the signature, and where the version's text is, counted from the second sector on
const SIGNATURE = { offset: 0x202, text: 'HdrS' };
const VERSION_POINTER = 0x20e;
const SECTOR = 0x200;
/** The pointer has 16 bits. */
const REACH = 0x1_0000 + SECTOR;

/** The release of a kernel's image, e.g. `4.14.67`; undefined for what is no bzImage. */
export function releaseOf(bzImage: string): string | undefined {
  const bytes = Buffer.alloc(REACH);
  const file = openSync(bzImage, 'r');
  try {
    readSync(file, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(file);
  }
  const { offset, text } = SIGNATURE;
  if (bytes.toString('latin1', offset, offset + text.length) !== text) return undefined;
  const start = bytes.readUInt16LE(VERSION_POINTER) + SECTOR;
  return /^\d[^\s\0]*/.exec(bytes.toString('latin1', start, start + 128))?.[0];
}

/**
 * Words that a kernel of this release needs to keep time on an emulated processor: those before 5.6 calibrate the local
 * APIC's timer against a clock that stands still when the machine is busy, and may then wait for ever.
 */
export function timekeepingWords(release: string | undefined): string {
  const [major = 99, minor = 0] = (release ?? '').match(/\d+/g)?.map(Number) ?? [];
  return major < 5 || (major === 5 && minor < 6) ? 'nolapic_timer' : '';
}
