/** What OpenVPN makes of a line that it is sent: a command's words, nothing (blank, or a comment), or a complaint. */
export type ParsedLine = { readonly words: readonly string[] } | 'nothing' | 'malformed';

/** Longest line, bytes without its end, that is sent to OpenVPN alone: its buffer has 1024 (`man_connection_init`). */
export const LONGEST_LINE = 1000;
/**
 * Longest line of several: OpenVPN reads 256 bytes at a time, and what it read of the next line shares the buffer. When
 * that runs over, it forgets all of it without a word (`command_line_add`, manage.c of 2.6).
 */
export const LONGEST_BLOCK_LINE = 750;

/** `OPTION_PARM_SIZE` and `MAX_PARMS` of OpenVPN's options.h. */
const WORD_SIZE = 256;
const MOST_WORDS = 16;

/** The characters that OpenVPN keeps of a line: printable ASCII; it drops the others without a word. */
export function keepReadableCharacters(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '');
}

/**
 * Splits a line as OpenVPN does (`parse_line` in options.c of 2.6): the number of answers depends on it.
 * @param line printable ASCII.
 */
export function parseLine(line: string): ParsedLine {
  const words: string[] = [];
  let word = '';
  let within: 'nothing' | 'word' | 'double' | 'single' = 'nothing';
  let escaped = false;
  // the closing zero counts as a blank
  for (const character of `${line}\0`) {
    if (!escaped && character === '\\' && within !== 'single') {
      escaped = true;
      continue;
    }
    const blank = character === ' ' || character === '\0';
    let taken = '';
    let ends = false;
    if (within === 'nothing') {
      if (!blank) {
        if (character === ';' || character === '#') break;
        if (!escaped && character === '"') within = 'double';
        else if (!escaped && character === "'") within = 'single';
        else {
          within = 'word';
          taken = character;
        }
      }
    } else if (within === 'word') {
      ends = !escaped && blank;
      if (!ends) taken = character;
    } else {
      ends = character === (within === 'single' ? "'" : '"') && (within === 'single' || !escaped);
      if (!ends) taken = character;
    }
    if (ends) {
      words.push(word);
      word = '';
      within = 'nothing';
    }
    if (taken === '\0') taken = '';
    if (escaped && taken !== '' && !/["\\ ]/.test(taken)) return 'malformed';
    escaped = false;
    if (taken !== '' && word.length >= WORD_SIZE) return 'malformed';
    word += taken;
    if (words.length >= MOST_WORDS) break;
  }
  if (within !== 'nothing') return 'malformed';
  return words.length === 0 ? 'nothing' : { words };
}

/** C's `atoi`, as far as it is defined: the leading whole number, 0 without one. */
export function atoi(text: string): number {
  return Number(/^\s*([+-]?\d{1,15})/.exec(text)?.[1] ?? 0);
}
