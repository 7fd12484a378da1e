/** A command line cannot be split into words. The message is for the person who typed it. */
export class WordsError extends Error {
  override readonly name = 'WordsError';
}

/**
 * Splits a line into words as OpenVPN's management interface does: words are separated by spaces and tabs; text in "double
 * quotes" can contain them; the character after a backslash is taken literally, inside double quotes and outside.
 * @throws {WordsError} if a quote is not closed or the line ends in a backslash.
 */
export function splitWords(line: string): string[] {
  const { words, word, open } = scan(line);
  if (open !== undefined) throw new WordsError(open);
  return word === undefined ? words : [...words, word.text];
}

/** A line during typing. */
export interface TypedLine {
  /** The complete words. */
  readonly before: readonly string[];
  /** The incomplete word at the end, without its quotes; empty after a space. */
  readonly last: string;
  /** The index in the line at which `last` begins. */
  readonly start: number;
}

/** Splits an unfinished line, whose last quote may be open. */
export function splitTyped(line: string): TypedLine {
  const { words, word } = scan(line);
  return { before: words, last: word?.text ?? '', start: word?.start ?? line.length };
}

/** A line that was read to its end, whether it is complete or not. */
interface Scanned {
  readonly words: string[];
  /** The last word, if the line ends in it. */
  readonly word: { readonly text: string; readonly start: number } | undefined;
  /** Why the line is incomplete. */
  readonly open: string | undefined;
}

function scan(line: string): Scanned {
  const words: string[] = [];
  let word: { text: string; start: number } | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (!isQuoted && (character === ' ' || character === '\t')) {
      if (word !== undefined) words.push(word.text);
      word = undefined;
      continue;
    }
    word ??= { text: '', start: at };
    if (character === '\\') {
      if (++at >= line.length) return { words, word, open: 'the line ends in a backslash' };
      word.text += line.charAt(at);
    } else if (character === '"') isQuoted = !isQuoted;
    else word.text += character;
  }
  return { words, word, open: isQuoted ? 'a quote is not closed' : undefined };
}

/** Writes a word so that {@link splitWords} gives it back. */
export function quoteWord(word: string): string {
  return /^[\w.:@%+,/-]+$/u.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}
