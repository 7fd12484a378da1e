import { posix } from 'node:path';
import { parseLine } from './management/command-line.js';

/** The deepest nesting of `config FILE` that OpenVPN reads (`read_config_file` in options.c). */
const MAX_NESTING = 10;
/** After so many lines no further file is included. OpenVPN has no such limit: files that include each other would keep it busy. */
const MAX_LINES = 20_000;

/** One line of a config of OpenVPN. */
export interface ConfigLine {
  readonly file: string;
  /** Its number in the file, from 1 on. */
  readonly line: number;
  /** As written, without its line end. */
  readonly text: string;
  /** The option and its parameters; absent for comments, blank lines, and lines of an inline block such as `<ca>`. */
  readonly words?: readonly string[];
  /** Whether it is `config FILE`, and the lines of that file follow. */
  readonly isInclude?: true;
}

/**
 * Reads the lines of a config, and those of the files that it includes at their places.
 * @param directory from which OpenVPN starts: relative names refer to it.
 * @param read returns the text of a file; undefined if it cannot be read.
 */
export function readConfigLines(
  file: string,
  directory: string,
  read: (file: string) => string | undefined,
): ConfigLine[] {
  const lines: ConfigLine[] = [];
  const readInto = (path: string, nesting: number): void => {
    for (const line of splitLines(path, read(path) ?? '')) {
      const [option, included] = line.words ?? [];
      if (
        option === 'config' &&
        included !== undefined &&
        nesting < MAX_NESTING &&
        lines.length < MAX_LINES
      ) {
        lines.push({ ...line, isInclude: true });
        readInto(posix.resolve(directory, included), nesting + 1);
      } else lines.push(line);
    }
  };
  readInto(file, 0);
  return lines;
}

function splitLines(file: string, text: string): ConfigLine[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let closingTag: string | undefined;
  return lines.map((content, index) => {
    const line = { file, line: index + 1, text: content };
    if (closingTag !== undefined) {
      if (content.trimStart().startsWith(closingTag)) closingTag = undefined;
      return line;
    }
    // OpenVPN reads every white space as a blank
    const parsed = parseLine(content.replace(/\s/g, ' '));
    if (typeof parsed === 'string') return line;
    const [first = '', second] = parsed.words;
    const tag = second === undefined ? /^<([^>]+)>$/.exec(first)?.[1] : undefined;
    if (tag !== undefined) {
      closingTag = `</${tag}>`;
      return line;
    }
    // an option may have the two dashes of the command line
    return { ...line, words: [first.replace(/^--/, ''), ...parsed.words.slice(1)] };
  });
}

/** The lines that have an option, in their order. */
export function linesOf(lines: readonly ConfigLine[], option: string): ConfigLine[] {
  return lines.filter(({ words }) => words?.[0] === option);
}

/** The line of an option that counts. Of an option that is written twice, OpenVPN keeps the last. */
export function lastOf(lines: readonly ConfigLine[], option: string): ConfigLine | undefined {
  return linesOf(lines, option).at(-1);
}

/** Two lines with the same hook, of which OpenVPN runs only the last. */
export interface RepeatedHook {
  readonly option: string;
  /** What OpenVPN ignores. */
  readonly ignored: ConfigLine;
  readonly used: ConfigLine;
}

/** Finds `client-connect` and `client-disconnect` lines that have no effect, because another line follows. */
export function repeatedHooks(lines: readonly ConfigLine[]): RepeatedHook[] {
  return ['client-connect', 'client-disconnect'].flatMap((option) => {
    const found = linesOf(lines, option);
    const used = found.at(-1);
    if (used === undefined) return [];
    return found
      .slice(0, -1)
      .filter((ignored) => !(used.words?.[1] ?? '').endsWith(` ${ignored.words?.[1] ?? ''}`))
      .map((ignored) => ({ option, ignored, used }));
  });
}

/** {@link RepeatedHook} as text for an admin. */
export function repeatedHookText({ option, ignored, used }: RepeatedHook): string {
  return (
    `${option} is written twice, and OpenVPN runs only the last: ${ignored.file}:${ignored.line} ` +
    `(${ignored.words?.[1] ?? ''}) has no effect, ${used.file}:${used.line} (${used.words?.[1] ?? ''}) has`
  );
}

/** Writes a word so that OpenVPN reads it as one. */
export function quoteConfigWord(word: string): string {
  return /^[^\s"'\\;#]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}
