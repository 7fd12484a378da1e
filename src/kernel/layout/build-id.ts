/** How the header of the ELF note ends (elf(5)): type NT_GNU_BUILD_ID and the name `GNU`. */
const HEADER_END = Buffer.from([3, 0, 0, 0, 0x47, 0x4e, 0x55, 0]);
/** The linker makes build-ids of 16 to 20 bytes; `--build-id=0x...` can set a longer one. */
const MAX_BYTES = 64;

/**
 * Finds the build-id in ELF notes, such as `/sys/kernel/notes` or the `.notes` of a vmlinux.
 * It searches for the note instead of walking from note to note: newer linkers put notes of different alignments into one
 * section.
 * @returns hexadecimal digits, or undefined if there is no build-id.
 */
export function buildIdOf(notes: Buffer): string | undefined {
  for (let at = notes.indexOf(HEADER_END); at >= 0; at = notes.indexOf(HEADER_END, at + 1)) {
    // The header begins with the sizes of the name and of the build-id.
    if (at < 8) continue;
    const [nameSize, idSize] = [notes.readUInt32LE(at - 8), notes.readUInt32LE(at - 4)];
    const start = at + HEADER_END.length;
    if (nameSize !== 4 || idSize === 0 || idSize > MAX_BYTES || start + idSize > notes.length) continue;
    return notes.toString('hex', start, start + idSize);
  }
  return undefined;
}
