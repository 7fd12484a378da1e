import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { sectionForms, sections, type SectionKind } from '../../../src/config/sections.js';
import { DISPOSITIONS } from '../../../src/console/common/dispositions.js';
import { VERSION } from '../../../src/version.js';
import { CONFIG_KEYS } from '../docs/config-keys.js';

const page = (name: string) => fileURLToPath(new URL(`../../../man/${name}`, import.meta.url));

/** The text of a page as a reader sees it. */
async function readFormatted(name: string): Promise<string> {
  const { stdout } = await execa('groff', ['-man', '-Tascii', '-P-cbou', page(name)]);
  return stdout;
}

it.each(['subflowd.8', 'subflowd-client.8', 'subflowd.ini.5'])(
  'groff formats %s without a warning',
  async (name) => {
    const { stderr } = await execa('groff', ['-man', '-ww', '-z', '-Tutf8', page(name)]);
    expect(stderr).toBe('');
  },
);

it('subflowd(8) has every command of subflowd, in its order', async () => {
  const main = await readFile(new URL('../../../src/main.ts', import.meta.url), 'utf8');
  const commands = [...main.matchAll(/^command\(\s*'(\w+)'/gm)].map(([, name]) => name ?? '');
  expect(commands.length).toBeGreaterThan(9);
  const text = await readFormatted('subflowd.8');
  for (const command of commands) expect(text).toMatch(new RegExp(`^ {7}${command}\\b`, 'm'));
});

it('subflowd-client(8) has every command of its help', async () => {
  const program = fileURLToPath(new URL('../../../openvpn-conf/client/subflowd-client', import.meta.url));
  const { stdout } = await execa(program, ['--help']);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  expect(commands.length).toBeGreaterThan(4);
  const text = await readFormatted('subflowd-client.8');
  for (const command of commands) expect(text).toMatch(new RegExp(`^ {7}${command}\\b`, 'm'));
});

/** Source of subflowd.ini(5), with plain hyphens. */
const iniPage = readFileSync(page('subflowd.ini.5'), 'utf8').replaceAll('\\-', '-');

/** What subflowd.ini(5) says of each key of one kind of section, in macros. */
function paragraphs(kind: SectionKind): ReadonlyMap<string, string> {
  const part = iniPage.split('\n.SH ').find((each) => each.startsWith(`${sectionForms[kind]}\n`)) ?? '';
  const [, ...keys] = part.split(/\n\.TP\n\.B (?=\S+\n)/);
  return new Map(keys.map((text) => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1)]));
}

describe('subflowd.ini(5)', () => {
  it.each(Object.keys(sections) as SectionKind[])('has every key of the section %s', (kind) => {
    expect([...paragraphs(kind).keys()].sort()).toEqual(Object.keys(sections[kind].shape).sort());
  });

  it.each(CONFIG_KEYS)(
    'has the values and the default of [$kind] $key',
    ({ kind, key, choices, ...known }) => {
      const text = paragraphs(kind).get(key) ?? '';
      if (kind === 'default') {
        expect(text.trim()).toBe('As in [client GLOB].');
        return;
      }
      if (choices) {
        const bold = [...text.matchAll(/^\.BR? (\S+)/gm)].map(([, word = '']) => word);
        const values = bold.filter((word) => !word.startsWith('[') && !paragraphs(kind).has(word));
        expect([...new Set(values)].sort()).toEqual([...choices].sort());
      }
      const [, byDefault] = /^Default:\n\.[BI]R (\S+) \.$/m.exec(text) ?? [];
      expect(byDefault === undefined ? undefined : known.parse(byDefault)).toEqual(known.default);
    },
  );
});

it.each(['subflowd.8', 'subflowd.ini.5'])('%s has the version of package.json, and examples', (name) => {
  const source = readFileSync(page(name), 'utf8');
  const [header = ''] = source.split('\n');
  expect(header).toContain(`"subflowd ${VERSION}"`);
  expect(source).toContain('\n.SH EXAMPLES\n');
});

it('the example of subflowd.ini(5) has no mistake', () => {
  const [, example = ''] = /^\.nf\n\.RS\n([^]*?)^\.RE$/m.exec(iniPage) ?? [];
  expect(parseConfig(example.replaceAll(/^\.PP$/gm, ''))).toMatchObject({ ok: true });
});

it('docs/console.md has every command of OpenVPN in its table', async () => {
  const text = await readFile(new URL('../../../docs/console.md', import.meta.url), 'utf8');
  const [, table = ''] = text.split('| what the console does with it');
  const rows = table.slice(0, table.indexOf('\n\n'));
  for (const command of [...DISPOSITIONS.keys(), 'exit', 'quit']) expect(rows).toContain(`\`${command}\``);
});
