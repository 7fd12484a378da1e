import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { manPages, markdownFiles, parseMarkdown, readDocument, ROOT } from './documents.js';

/** A command of subflowd that a document names. */
interface NamedCommand {
  /** As the document has it: `subflowd check [--json]`. */
  readonly text: string;
  /** `check`. */
  readonly command: string;
  /** `--json`. */
  readonly options: readonly string[];
}

/** Finds the commands in inline code, or in a line for a shell. Words after `--` are not options. */
function namedCommands(code: string): NamedCommand[] {
  return [...code.matchAll(/(?:^|[|;&(]|\bsudo(?: -u \S+)?)\s*subflowd +([a-z-][^|;&#\n)]*)/g)].map(
    ([, words = '']) => {
      const [command = '', ...rest] = words.replace(/[[\]]/g, '').trim().split(/\s+/);
      const dashes = rest.indexOf('--');
      const beforeDashes = dashes < 0 ? rest : rest.slice(0, dashes);
      const options = beforeDashes
        .filter((word) => word.startsWith('-'))
        .map((word) => word.split('=')[0] ?? '');
      return { text: `subflowd ${words.trim()}`, command, options };
    },
  );
}

function commandsOfMarkdown(file: string): NamedCommand[] {
  const { inlineCode, codeBlocks } = parseMarkdown(readDocument(file));
  const lines = codeBlocks.filter(({ language }) => language === 'sh').flatMap(({ lines }) => lines);
  return [...inlineCode, ...lines].flatMap(namedCommands);
}

/** Only those of its examples. */
function commandsOfManPage(file: string): NamedCommand[] {
  const examples = [
    ...readDocument(file)
      .replaceAll('\\-', '-')
      .matchAll(/^\.nf\n([^]*?)^\.fi$/gm),
  ];
  return examples.flatMap(([, lines = '']) => lines.split('\n')).flatMap(namedCommands);
}

const MAIN = fileURLToPath(new URL('dist/bundle/main.js', ROOT));
/** What `subflowd help COMMAND` prints, by command. */
const help = new Map<string, string>();

beforeAll(async () => {
  const { stdout } = await execa('node', [MAIN, '--help']);
  const [, list = ''] = stdout.split('\nCommands:\n');
  const commands = [...list.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name = '']) => name);
  for (const name of commands) {
    help.set(name, name === 'help' ? '' : (await execa('node', [MAIN, 'help', name])).stdout);
  }
  // Each is a process, which takes long on a busy machine.
}, 60_000);

it('subflowd lists its commands', () => {
  expect([...help.keys()]).toContain('layout');
});

describe('each command of subflowd that a document names exists, with these options:', () => {
  const documents = [...markdownFiles().map((file) => [file, commandsOfMarkdown] as const)].concat(
    manPages().map((file) => [file, commandsOfManPage] as const),
  );
  it.each(documents)('%s', (file, commandsOf) => {
    const unknown = commandsOf(file).flatMap(({ text, command, options }) => {
      if (command.startsWith('--')) return ['--help', '--version'].includes(command) ? [] : [text];
      const known = help.get(command);
      if (known === undefined) return [text];
      return options.every((option) => new RegExp(`(?:^|[\\s,])${option}\\b`, 'm').test(known)) ? [] : [text];
    });
    expect(unknown).toEqual([]);
  });
});

it('each `npm run` that a document names is a script of package.json', () => {
  const { scripts } = JSON.parse(readDocument('package.json')) as { scripts: Record<string, string> };
  const named = markdownFiles().flatMap((file) =>
    [...readDocument(file).matchAll(/npm run ([a-z]+)/g)].map(([, script = '']) => script),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
});

it('finds the commands in a line for a shell, and no options after --', () => {
  expect(namedCommands("echo 'status 3' | subflowd console office")).toMatchObject([{ command: 'console' }]);
  expect(namedCommands('subflowd primary -- -n lte')).toMatchObject([{ command: 'primary', options: [] }]);
  expect(namedCommands('subflowd check [--json]')).toMatchObject([{ command: 'check', options: ['--json'] }]);
  expect(namedCommands('man subflowd.ini && man subflowd')).toEqual([]);
});
