/** Type NT_GNU_BUILD_ID and the name `GNU`, as the header of an ELF note ends (elf(5)). */
const HEADER_END = Buffer.from([3, 0, 0, 0, 0x47, 0x4e, 0x55, 0]);
/** The linker's build-ids are of 16 to 20 bytes; `--build-id=0x...` takes others. */
const MAX_BYTES = 64;

/**
 * The build-id among ELF notes, such as `/sys/kernel/notes` or a vmlinux's `.notes`: hexadecimal, undefined if there is
 * none. Searched rather than walked: notes of different alignment stand in one section on kernels that a newer linker
 * built.
 */
export function buildIdOf(notes: Buffer): string | undefined {
  for (let at = notes.indexOf(HEADER_END); at >= 0; at = notes.indexOf(HEADER_END, at + 1)) {
    if (at < 8) continue;
    const [nameBytes, bytes] = [notes.readUInt32LE(at - 8), notes.readUInt32LE(at - 4)];
    const start = at + HEADER_END.length;
    if (nameBytes !== 4 || bytes === 0 || bytes > MAX_BYTES || start + bytes > notes.length) continue;
    return notes.toString('hex', start, start + bytes);
  }
  return undefined;
}
