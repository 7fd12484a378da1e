import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the checkout. */
export const ROOT = new URL('../../../', import.meta.url);

/** Text without code: a paragraph, a heading, an item of a list, or a cell of a table. */
export interface Block {
  /** Of its first line, from 1. */
  readonly line: number;
  /** In one line. Inline code is the word `CODE`, so that it counts as one word. */
  readonly text: string;
}

export interface CodeBlock {
  readonly language: string;
  readonly lines: readonly string[];
}

export interface Markdown {
  readonly blocks: readonly Block[];
  readonly headings: readonly string[];
  /** Targets as they are written. */
  readonly links: readonly { readonly line: number; readonly target: string }[];
  readonly inlineCode: readonly string[];
  readonly codeBlocks: readonly CodeBlock[];
}

/** Names of all Markdown documents, relative to the checkout. */
export function markdownFiles(): string[] {
  const inDirectory = (directory: string) =>
    readdirSync(new URL(directory, ROOT))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${directory}${name}`.replace(/^\.\//, ''));
  return [...inDirectory('./'), ...inDirectory('docs/')];
}

/** Names of all man pages, relative to the checkout. */
export function manPages(): string[] {
  return readdirSync(new URL('man/', ROOT)).map((name) => `man/${name}`);
}

export function readDocument(name: string): string {
  return readFileSync(new URL(name, ROOT), 'utf8');
}

const LINK = /!?\[([^\]]*)\]\(([^)\s]+)\)/g;
const CODE = /`([^`]+)`/g;
const BEGINS_BLOCK = /^(?:#+|[-*>]|\d+\.)\s+/;

export function parseMarkdown(source: string): Markdown {
  const blocks: { line: number; text: string }[] = [];
  const headings: string[] = [];
  const links: { line: number; target: string }[] = [];
  const inlineCode: string[] = [];
  const codeBlocks: { language: string; lines: string[] }[] = [];
  let code: { language: string; lines: string[] } | undefined;
  let continues = false;
  const addBlock = (line: number, text: string) => blocks.push({ line, text: withoutMarks(text) });

  for (const [index, raw] of source.split('\n').entries()) {
    const line = index + 1;
    const text = raw.trim();
    if (text.startsWith('```')) {
      if (code) codeBlocks.push(code);
      code = code ? undefined : { language: text.slice(3), lines: [] };
      continues = false;
      continue;
    }
    if (code) {
      code.lines.push(text);
      continue;
    }
    links.push(...[...text.matchAll(LINK)].map(([, , target = '']) => ({ line, target })));
    inlineCode.push(...[...text.matchAll(CODE)].map(([, content = '']) => content));
    const last = blocks.at(-1);
    if (text === '' || /^[|\s:-]+$/.test(text)) {
      continues = false;
    } else if (text.startsWith('|')) {
      for (const cell of text.slice(1, -1).split(' | ')) addBlock(line, cell.trim());
      continues = false;
    } else if (BEGINS_BLOCK.test(text)) {
      const content = text.replace(BEGINS_BLOCK, '');
      const isHeading = text.startsWith('#');
      if (isHeading) headings.push(content);
      addBlock(line, content);
      continues = !isHeading;
    } else if (continues && last) {
      last.text += ` ${withoutMarks(text)}`;
    } else {
      addBlock(line, text);
      continues = true;
    }
  }
  return { blocks, headings, links, inlineCode, codeBlocks };
}

/** One line of Markdown as a reader sees it, with `CODE` for inline code. */
function withoutMarks(text: string): string {
  return text.replace(LINK, '$1').replace(CODE, 'CODE').replace(/[*_]/g, '');
}

/** The anchor that GitHub gives to a heading. */
export function anchorOf(heading: string): string {
  return heading
    .replace(LINK, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

/** Names of the files that admins copy: hooks, and examples of configs and units; relative to the checkout. */
export function installedFiles(): string[] {
  return ['hooks/', 'openvpn-conf/'].flatMap((directory) =>
    readdirSync(new URL(directory, ROOT), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(fileURLToPath(ROOT), path.join(entry.parentPath, entry.name))),
  );
}

/**
 * The comments of a script, a config or a unit. An empty comment or an indented line begins a new block. Of a setting that
 * is commented out, only what follows it counts.
 */
export function parseComments(source: string): Block[] {
  const blocks: { line: number; text: string }[] = [];
  let continues = false;
  for (const [index, raw] of source.split('\n').entries()) {
    const [, indent = '', text = ''] = /^\s*[#;](?!!)(\s*)(.*)$/.exec(raw) ?? [];
    const last = blocks.at(-1);
    const setting = /^[\w-]+ = [^;]*;?\s*(.*)$/.exec(text);
    if (setting) {
      blocks.push({ line: index + 1, text: setting[1] ?? '' });
      continues = false;
      continue;
    }
    if (text !== '' && continues && indent.length <= 1 && last) last.text += ` ${text}`;
    else if (text !== '') blocks.push({ line: index + 1, text });
    // an indented line is an item of a list, or a command
    continues = text !== '' && indent.length <= 1;
  }
  return blocks;
}

/** The text of a man page in man(7) macros, without examples. */
export function parseManPage(source: string): Block[] {
  const blocks: { line: number; text: string }[] = [];
  let current: { line: number; text: string } | undefined;
  let isTag = false;
  let isExample = false;
  for (const [index, raw] of source.split('\n').entries()) {
    const [, macro = '', rest = raw] = /^\.([A-Za-z]+)\s*(.*)$/.exec(raw) ?? [];
    if (macro === 'nf' || macro === 'fi') isExample = macro === 'nf';
    if (/^(?:TH|SH|SS|TP|PP|IP|RS|RE|nf|fi)$/.test(macro)) {
      current = undefined;
      isTag = macro === 'TP';
      continue;
    }
    if (isExample || raw === '') continue;
    const text = /^[BI][RIB]$/.test(macro)
      ? manArguments(rest).join('')
      : macro === ''
        ? plain(raw)
        : manArguments(rest).join(' ');
    if (current) current.text += ` ${text}`;
    else blocks.push((current = { line: index + 1, text }));
    if (isTag) current = undefined;
    isTag = false;
  }
  return blocks;
}

function manArguments(text: string): string[] {
  return [...text.replaceAll('\\ ', '\u00a0').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) =>
    plain(quoted ?? word ?? '').replaceAll('\u00a0', ' '),
  );
}

/** Without escapes and changes of font. */
function plain(text: string): string {
  return text
    .replace(/\\f[A-Z]/g, '')
    .replaceAll('\\-', '-')
    .replaceAll('\\e', '\\');
}

/** A sentence ends with a full stop, a question mark or an exclamation mark, or with its block. */
export function sentences(text: string): string[] {
  return text.split(/(?<=[.?!]["”’)]*)(?<!\b(?:e\.g|i\.e|etc)\.)\s+/);
}

export function wordCount(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
