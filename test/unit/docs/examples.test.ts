import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { markdownFiles, parseMarkdown, readDocument } from './documents.js';

/** What an example that shows a part of the file may leave out. */
const SECTIONS: readonly (readonly [header: string, key: string])[] = [
  ['[openvpn server]', 'events = /run/subflowd/events'],
  ['[path wifi]', 'prefix = 198.51.100.0/24'],
  ['[path lte]', 'prefix = 203.0.113.0/24'],
];

const examples = markdownFiles().flatMap((file) =>
  parseMarkdown(readDocument(file))
    .codeBlocks.filter(({ language }) => language === 'ini')
    .map(({ lines }) => ({ file, lines, first: lines.find((line) => line.startsWith('[')) ?? '' })),
);

it('the documents have examples of subflowd.ini', () => {
  expect(examples.length).toBeGreaterThan(4);
});

describe('an example of subflowd.ini has no mistake:', () => {
  it.each(examples)('$file, $first', ({ lines }) => {
    const missing = SECTIONS.filter(([header]) => !lines.includes(header)).flat();
    const result = parseConfig([...lines, ...missing].join('\n'));
    expect(result.ok ? [] : result.problems).toEqual([]);
  });
});
