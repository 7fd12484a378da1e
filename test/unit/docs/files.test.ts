import { existsSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { markdownFiles, parseMarkdown, readDocument, ROOT } from './documents.js';

/** A file of the program or of a test that is named without its directory, or with the last part of it. */
const SOURCE = /^(?:[\w-]+\/)*[\w.-]+\.(?:ts|cc|h)$/;
const NOT_HERE = ['include/uapi/linux/tcp.h'];

const sources = ['src', 'native', 'test'].flatMap((directory) =>
  readdirSync(new URL(`${directory}/`, ROOT), { recursive: true, encoding: 'utf8' }).map(
    (name) => `/${directory}/${name}`,
  ),
);

it.each(markdownFiles())('each file of the source that %s names by its last part exists', (file) => {
  const named = parseMarkdown(readDocument(file)).inlineCode.filter(
    (code) =>
      SOURCE.test(code) &&
      !/[A-Z]{3}/.test(code) &&
      !NOT_HERE.includes(code) &&
      // the net/ of Linux
      !code.startsWith('net/'),
  );
  expect(named.filter((name) => !sources.some((source) => source.endsWith(`/${name}`)))).toEqual([]);
});

/** A path in the checkout, without blanks and without words in capitals that stand for a name. */
const FILE = /^(?:docs|hooks|man|native|openvpn-conf|src|test)\/(?:[\w.@-]+\/?)*$/;

it.each(markdownFiles())('each file of the checkout that %s names exists', (file) => {
  const named = parseMarkdown(readDocument(file)).inlineCode.filter(
    (code) => FILE.test(code) && !/[A-Z]{3}/.test(code),
  );
  expect(named.filter((name) => !existsSync(new URL(name, ROOT)))).toEqual([]);
});
