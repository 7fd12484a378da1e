import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorOf, markdownFiles, parseMarkdown, readDocument, ROOT } from './documents.js';

/** What is wrong with the links of a document, `FILE:LINE: TARGET: ...`. */
function brokenLinks(file: string): string[] {
  return parseMarkdown(readDocument(file)).links.flatMap(({ line, target }) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [name = '', anchor] = target.split('#');
    const goal = name === '' ? file : path.posix.join(path.posix.dirname(file), name);
    if (!existsSync(new URL(goal, ROOT))) return [`${file}:${line}: ${target}: there is no such file`];
    if (anchor === undefined) return [];
    const anchors = parseMarkdown(readDocument(goal)).headings.map(anchorOf);
    return anchors.includes(anchor) ? [] : [`${file}:${line}: ${target}: the page has ${anchors.join(', ')}`];
  });
}

it.each(markdownFiles())('each relative link of %s leads to a file and a heading', (file) => {
  expect(brokenLinks(file)).toEqual([]);
});

it('the README leads to every page of docs/', () => {
  const { links } = parseMarkdown(readDocument('README.md'));
  const targets = links.map(({ target }) => target.split('#')[0]);
  const pages = markdownFiles().filter((name) => name.startsWith('docs/'));
  expect(pages.filter((page) => !targets.includes(page))).toEqual([]);
});

describe('an anchor', () => {
  it.each([
    ['What /dev/mem means', 'what-devmem-means'],
    ['2. The OpenVPN server', '2-the-openvpn-server'],
    ['`[steering]`, in short', 'steering-in-short'],
    ['See [the page](x.md)', 'see-the-page'],
  ])('of %j is %j', (heading, anchor) => {
    expect(anchorOf(heading)).toBe(anchor);
  });
});
