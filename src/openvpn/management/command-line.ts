/** How OpenVPN reads a line: the words of a command, nothing (an empty line or a comment), or a malformed line. */
export type ParsedLine = { readonly words: readonly string[] } | 'nothing' | 'malformed';

/** Longest command of one line, in bytes without its end. OpenVPN's buffer has 1024 bytes (`man_connection_init`). */
export const LONGEST_LINE = 1000;
/**
 * Longest line of a command with several lines, in bytes without its end. OpenVPN reads 256 bytes at a time, so the beginning
 * of the next line is in the same buffer. If the buffer overflows, OpenVPN discards its content without an error
 * (`command_line_add` in manage.c of 2.6).
 */
export const LONGEST_BLOCK_LINE = 750;

/** `OPTION_PARM_SIZE` and `MAX_PARMS` in OpenVPN's options.h. */
const WORD_SIZE = 256;
const MOST_WORDS = 16;

/** Keeps the characters of a line that OpenVPN reads: printable ASCII. It ignores the others. */
export function keepReadableCharacters(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '');
}

/**
 * Splits a line into words as OpenVPN does (`parse_line` in options.c of 2.6), because the number of answers depends on it.
 * @param line printable ASCII.
 */
export function parseLine(line: string): ParsedLine {
  const words: string[] = [];
  let word = '';
  let within: 'nothing' | 'word' | 'double' | 'single' = 'nothing';
  let escaped = false;
  // the terminating NUL ends a word like a space
  for (const character of `${line}\0`) {
    if (!escaped && character === '\\' && within !== 'single') {
      escaped = true;
      continue;
    }
    const blank = character === ' ' || character === '\0';
    let taken = '';
    let isEnd = false;
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
      isEnd = !escaped && blank;
      if (!isEnd) taken = character;
    } else {
      isEnd = character === (within === 'single' ? "'" : '"') && (within === 'single' || !escaped);
      if (!isEnd) taken = character;
    }
    if (isEnd) {
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

/** `atoi` of C where it is defined: the integer at the beginning of the text; 0 if there is none. */
export function atoi(text: string): number {
  return Number(/^\s*([+-]?\d{1,15})/.exec(text)?.[1] ?? 0);
}
