/** A command line that cannot be split into words; the message is for the one who typed it. */
export class WordsError extends Error {
  override readonly name = 'WordsError';
}

/**
 * Splits a line into words as OpenVPN's management interface does: blanks part words, "double quotes" hold blanks, and a
 * backslash takes the next character as it is, inside double quotes and outside.
 * @throws {WordsError} if a quote is left open or the line ends in a backslash.
 */
export function splitWords(line: string): string[] {
  const { words, word, open } = scan(line);
  if (open !== undefined) throw new WordsError(open);
  return word === undefined ? words : [...words, word.text];
}

/** A line that is being typed. */
export interface TypedLine {
  /** The words that are finished. */
  readonly before: readonly string[];
  /** The word at the end, without its quotes; empty behind a blank. */
  readonly last: string;
  /** Where in the line that begins. */
  readonly start: number;
}

/** Splits a line that is not finished, whose last quote may still be open. */
export function splitTyped(line: string): TypedLine {
  const { words, word } = scan(line);
  return { before: words, last: word?.text ?? '', start: word?.start ?? line.length };
}

interface Scanned {
  readonly words: string[];
  /** The last one, if the line does not end behind it. */
  readonly word: { readonly text: string; readonly start: number } | undefined;
  /** What is not finished. */
  readonly open: string | undefined;
}

function scan(line: string): Scanned {
  const words: string[] = [];
  let word: { text: string; start: number } | undefined;
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (!quoted && (character === ' ' || character === '\t')) {
      if (word !== undefined) words.push(word.text);
      word = undefined;
      continue;
    }
    word ??= { text: '', start: at };
    if (character === '\\') {
      if (++at >= line.length) return { words, word, open: 'the line ends in a backslash' };
      word.text += line.charAt(at);
    } else if (character === '"') quoted = !quoted;
    else word.text += character;
  }
  return { words, word, open: quoted ? 'a quote is not closed' : undefined };
}

/** Writes a word so that {@link splitWords} gives it back. */
export function quoteWord(word: string): string {
  return /^[\w.:@%+,/-]+$/u.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}
