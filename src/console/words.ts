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
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === '\\') {
      if (++at >= line.length) throw new WordsError('the line ends in a backslash');
      word = (word ?? '') + line.charAt(at);
    } else if (character === '"') {
      quoted = !quoted;
      word ??= '';
    } else if (!quoted && (character === ' ' || character === '\t')) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quoted) throw new WordsError('a quote is not closed');
  if (word !== undefined) words.push(word);
  return words;
}

/** Writes a word so that {@link splitWords} gives it back. */
export function quoteWord(word: string): string {
  return /^[\w.:@%+,/-]+$/u.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}
