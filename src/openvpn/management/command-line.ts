/** How OpenVPN reads a line: the words of a command, nothing (an empty line or a comment), or a malformed line. */
export type ParsedLine = { readonly words: readonly string[] } | 'nothing' | 'malformed';

/** Longest command of one line, in bytes without its end. OpenVPN's buffer has 1024 bytes (`man_connection_init`). */
export const MAX_COMMAND_LINE_BYTES = 1000;
/**
 * Longest line of a command of several lines, in bytes without its end. OpenVPN reads 256 bytes at a time, so its buffer must
 * also hold the beginning of the next line. If the buffer overflows, OpenVPN discards its content without an error
 * (`command_line_add` in manage.c of 2.6).
 */
export const MAX_MULTI_LINE_BYTES = 750;

/** `OPTION_PARM_SIZE` and `MAX_PARMS` in OpenVPN's options.h. */
const OPTION_PARM_SIZE = 256;
const MAX_PARMS = 16;

/** Keeps only the characters that OpenVPN does not ignore: printable ASCII. */
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
  let isEscaped = false;
  // the terminating NUL ends a word like a space
  for (const character of `${line}\0`) {
    if (!isEscaped && character === '\\' && within !== 'single') {
      isEscaped = true;
      continue;
    }
    const isBlank = character === ' ' || character === '\0';
    let taken = '';
    let isEnd = false;
    if (within === 'nothing') {
      if (!isBlank) {
        if (character === ';' || character === '#') break;
        if (!isEscaped && character === '"') within = 'double';
        else if (!isEscaped && character === "'") within = 'single';
        else {
          within = 'word';
          taken = character;
        }
      }
    } else if (within === 'word') {
      isEnd = !isEscaped && isBlank;
      if (!isEnd) taken = character;
    } else {
      isEnd = character === (within === 'single' ? "'" : '"') && (within === 'single' || !isEscaped);
      if (!isEnd) taken = character;
    }
    if (isEnd) {
      words.push(word);
      word = '';
      within = 'nothing';
    }
    if (taken === '\0') taken = '';
    if (isEscaped && taken !== '' && !/["\\ ]/.test(taken)) return 'malformed';
    isEscaped = false;
    if (taken !== '' && word.length >= OPTION_PARM_SIZE) return 'malformed';
    word += taken;
    if (words.length >= MAX_PARMS) break;
  }
  if (within !== 'nothing') return 'malformed';
  return words.length === 0 ? 'nothing' : { words };
}

/** `atoi` of C where it is defined: the integer at the beginning of the text; 0 if there is none. */
export function atoi(text: string): number {
  return Number(/^\s*([+-]?\d{1,15})/.exec(text)?.[1] ?? 0);
}
