import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseMarkdown, readDocument, ROOT } from './documents.js';

/** What other programs print, and what is not a message: files, keys and values. */
const NOT_OURS: readonly string[] = [
  'Failed to determine user credentials',
  'status=217/USER',
  'changed on disk',
  'backend = devmem',
];

/** The source without comments, and what the Debian package prints when it is removed. A text that is written in several parts is joined. */
const source = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) =>
    readFileSync(new URL(`src/${name}`, ROOT), 'utf8')
      .replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
      .replace(/['`"]\s*\+\s*['`"]/g, '')
      .replaceAll('\\', ''),
  )
  .concat(readFileSync(new URL('packaging/debian/subflowd.prerm', ROOT), 'utf8'));

/** What a message has in place of a value: `...`, a number or a size, or a word in capitals. */
const VALUE = /\.\.\.|\b\d[\d,]*(?: MiB)?\b|\b(?:NAME|SOURCE|N)\b/;

/** Whether a file of the source has these words in this order. A value stands for anything short. */
function isInSource(message: string): boolean {
  const parts = message
    .split(VALUE)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^\\n]{0,120}?');
  return source.some((text) => new RegExp(pattern).test(text));
}

/** The code in one column of all tables of a document, from 0. */
function codeOfColumn(document: string, column: number): string[] {
  const rows = readDocument(document)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| -'));
  const cells = rows.map((row) => row.slice(1, -1).split(' | ')[column] ?? '');
  return parseMarkdown(cells.join('\n\n')).inlineCode.filter((code, at, all) => all.indexOf(code) === at);
}

describe('the program prints each symptom of docs/troubleshooting.md', () => {
  const symptoms = codeOfColumn('docs/troubleshooting.md', 0).filter((code) => !NOT_OURS.includes(code));

  it('which has many', () => {
    expect(symptoms.length).toBeGreaterThan(30);
  });

  it.each(symptoms)('%s', (symptom) => {
    expect(isInSource(symptom)).toBe(true);
  });
});

describe('the program prints each message that docs/limits.md quotes', () => {
  const messages = codeOfColumn('docs/limits.md', 2)
    .map((code) => code.replace(/^ERROR: /, ''))
    .filter((code) => code.split(' ').length > 2);

  it('which has some', () => {
    expect(messages.length).toBeGreaterThan(8);
  });

  it.each(messages)('%s', (message) => {
    expect(isInSource(message)).toBe(true);
  });
});

it('a message that the program does not print is found', () => {
  expect(isInSource('the console socket ... cannot be made')).toBe(true);
  expect(isInSource('the console socket ... cannot be baked')).toBe(false);
  expect(isInSource('64 clients are connected already')).toBe(true);
});
