import { describe, expect, it } from 'vitest';
import {
  installedFiles,
  manPages,
  markdownFiles,
  parseComments,
  parseManPage,
  parseMarkdown,
  readDocument,
  sentences,
  wordCount,
  type Block,
} from './documents.js';

const MAX_WORDS = 35;

/** `FILE:LINE: N words: SENTENCE` of each sentence that is too long. */
function longSentences(file: string, blocks: readonly Block[]): string[] {
  return blocks.flatMap(({ line, text }) =>
    sentences(text)
      .map((sentence) => ({ sentence, count: wordCount(sentence) }))
      .filter(({ count }) => count > MAX_WORDS)
      .map(({ sentence, count }) => `${file}:${line}: ${count} words: ${sentence}`),
  );
}

it.each(markdownFiles())('%s has no sentence of more than 35 words', (file) => {
  expect(longSentences(file, parseMarkdown(readDocument(file)).blocks)).toEqual([]);
});

it.each(manPages())('%s has no sentence of more than 35 words', (file) => {
  expect(longSentences(file, parseManPage(readDocument(file)))).toEqual([]);
});

it.each(installedFiles())('no comment of %s has a sentence of more than 35 words', (file) => {
  expect(longSentences(file, parseComments(readDocument(file)))).toEqual([]);
});

it('the README has at most 1,500 words', () => {
  expect(readDocument('README.md').split(/\s+/).length).toBeLessThanOrEqual(1500);
});

describe('the measure', () => {
  const long = `${'word '.repeat(MAX_WORDS)}word`;

  it('names file, line and sentence', () => {
    const { blocks } = parseMarkdown(`# Title\n\nShort. ${long}.\n`);
    expect(longSentences('a.md', blocks)).toEqual([`a.md:3: 36 words: ${long}.`]);
  });

  it('joins the lines of a paragraph, and of an item of a list', () => {
    const half = 'word '.repeat(20).trim();
    expect(longSentences('a.md', parseMarkdown(`${half}\n${half}\n`).blocks)).toHaveLength(1);
    expect(longSentences('a.md', parseMarkdown(`- ${half}\n  ${half}\n`).blocks)).toHaveLength(1);
    expect(longSentences('a.md', parseMarkdown(`- ${half}\n- ${half}\n`).blocks)).toEqual([]);
  });

  it('reads each cell of a table by itself, and no block of code', () => {
    const half = 'word '.repeat(20).trim();
    const table = `| a | b |\n| - | - |\n| ${half} | ${half} |\n`;
    expect(longSentences('a.md', parseMarkdown(table).blocks)).toEqual([]);
    expect(longSentences('a.md', parseMarkdown(`| a |\n| - |\n| ${long} |\n`).blocks)).toHaveLength(1);
    expect(longSentences('a.md', parseMarkdown(`\`\`\`sh\n${long}\n\`\`\`\n`).blocks)).toEqual([]);
  });

  it('counts inline code as one word, and a link by its text', () => {
    expect(parseMarkdown('Run `a b c` as [the page](x.md) says.\n').blocks).toEqual([
      { line: 1, text: 'Run CODE as the page says.' },
    ]);
  });

  it('joins the lines of a comment, and takes an indented line by itself', () => {
    const source = '#!/bin/sh\n# a b\n# c:\n#   sh c\n\nx=1 # no\n  # d\n;e = f ; g\n; h\n';
    expect(parseComments(source)).toEqual([
      { line: 2, text: 'a b c:' },
      { line: 4, text: 'sh c' },
      { line: 7, text: 'd' },
      { line: 8, text: 'g' },
      { line: 9, text: 'h' },
    ]);
  });

  it('reads macros of a man page', () => {
    const page =
      '.TH A 8\n.SH NAME\na \\- b\n.TP\n.B \\-\\-key\nSets\n.BR key ,\nas\n.I FILE\nsays.\n.nf\ncode\n.fi\n';
    expect(parseManPage(page)).toEqual([
      { line: 3, text: 'a - b' },
      { line: 5, text: '--key' },
      { line: 6, text: 'Sets key, as FILE says.' },
    ]);
  });
});
