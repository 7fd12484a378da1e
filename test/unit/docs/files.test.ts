import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { markdownFiles, parseMarkdown, readDocument, ROOT } from './documents.js';

/** A path in the checkout, without blanks and without words in capitals that stand for a name. */
const FILE = /^(?:docs|hooks|man|native|openvpn-conf|src|test)\/(?:[\w.@-]+\/?)*$/;

it.each(markdownFiles())('each file of the checkout that %s names exists', (file) => {
  const named = parseMarkdown(readDocument(file)).inlineCode.filter(
    (code) => FILE.test(code) && !/[A-Z]{3}/.test(code),
  );
  expect(named.filter((name) => !existsSync(new URL(name, ROOT)))).toEqual([]);
});
