import ini from 'ini';

import type { ConfigProblem } from './problem.js';

/** `KEY = VALUE` on one line. */
export interface IniEntry {
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

/** `[KIND NAME]` and the entries below it. */
export interface IniSection {
  readonly line: number;
  /** The first word between the brackets. */
  readonly kind: string;
  /** The rest between the brackets, exactly as written but without spaces at its ends; empty if there is none. */
  readonly name: string;
  readonly entries: readonly IniEntry[];
}

/**
 * The name ends at the first `]` that only a comment follows, so it may contain `]`, `;` and `#`. The comment may
 * contain any character: `[^]` and not `.`, which does not match U+2028. A comment with that character would
 * otherwise not match, and the name would end at a later `]`.
 */
const HEADER = /^\s*\[(.*?)\]\s*(?:\s[;#][^]*)?$/;
/** The most lines that are neither blank nor a comment. `ini` needs about ten microseconds for each. */
export const MAX_LINES = 80_000;

const COMMENT_OR_BLANK = /^\s*(?:[;#]|$)/;

/** `[path wifi]`, as messages and labels write it. */
export function sectionTitle({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return name === '' ? `[${kind}]` : `[${kind} ${name}]`;
}

/**
 * One `KEY = VALUE` line by the rules of `ini`: quotes, `\;`, comments after the value.
 * @returns the entry, or what is wrong with the line.
 */
function readEntry(text: string, line: number): IniEntry | ConfigProblem {
  let decoded: [string, unknown][];
  try {
    decoded = Object.entries(ini.parse(text));
  } catch {
    // `ini` itself fails on some quoted keys, e.g. `'null' = 1`
    decoded = [];
  }
  const [key, raw] = decoded[0] ?? [];
  if (key === undefined) return { line, message: `not understood: ${clip(text)}; write KEY = VALUE` };
  if (!text.includes('=')) return { line, key, message: `${key} has no value; write ${key} = VALUE` };
  // `key[] = value` is one of several values in `ini`'s own notation
  const value: unknown = Array.isArray(raw) && raw.length === 1 ? raw[0] : raw;
  if (typeof value === 'object' && value !== null) {
    return { line, key, message: `${key} has a value that is not plain text; write it without quotes` };
  }
  return { line, key, value: String(value) };
}

function clip(text: string): string {
  const trimmed = text.trim();
  return JSON.stringify(trimmed.length > 60 ? `${trimmed.slice(0, 60)}…` : trimmed);
}

/**
 * Reads sections and entries with their line numbers. `ini` decodes each entry, but receives one line at a time. From
 * the whole text, it would split section names at dots, cut them at `;`, join sections of one name and lose the line
 * numbers.
 */
export function readLines(text: string): {
  readonly sections: readonly IniSection[];
  readonly problems: readonly ConfigProblem[];
  /** The text has more than {@link MAX_LINES} lines; the rest was not read. */
  readonly isCut: boolean;
} {
  let used = 0;
  const sections: (IniSection & { readonly entries: IniEntry[] })[] = [];
  const problems: ConfigProblem[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [index, content] of lines.entries()) {
    const line = index + 1;
    if (COMMENT_OR_BLANK.test(content)) continue;
    if (++used > MAX_LINES) {
      problems.push({ line, message: `too many lines: ${MAX_LINES} are read at most` });
      return { sections, problems, isCut: true };
    }
    const header = HEADER.exec(content);
    const section = sections.at(-1);
    if (header) {
      const [, kind = '', name = ''] = /^(\S*)\s*(.*)$/u.exec((header[1] ?? '').trim()) ?? [];
      sections.push({ line, kind, name, entries: [] });
      continue;
    }
    if (content.trimStart().startsWith('[')) {
      const message = `not understood: ${clip(content)}; a section is alone on its line and ends with ]`;
      problems.push({ line, message });
      continue;
    }
    const entry = readEntry(content, line);
    if ('message' in entry) {
      problems.push(section ? { ...entry, section: sectionTitle(section) } : entry);
    } else if (section) {
      section.entries.push(entry);
    } else {
      const message = `${entry.key} is before the first section; put it below a [SECTION] line`;
      problems.push({ line, key: entry.key, message });
    }
  }
  return { sections, problems, isCut: false };
}
