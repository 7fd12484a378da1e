import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { DISPOSITIONS } from '../../../src/console/dispositions.js';
import { sectionForms, sections, type SectionKind } from '../../../src/config/sections.js';

const page = (name: string) => fileURLToPath(new URL(`../../../man/${name}`, import.meta.url));

/** As somebody reads it. */
async function read(name: string): Promise<string> {
  const { stdout } = await execa('groff', ['-man', '-Tascii', '-P-cbou', page(name)]);
  return stdout;
}

it.each(['subflowd.8', 'subflowd.ini.5'])('%s is a page that groff has no complaint about', async (name) => {
  const { stderr } = await execa('groff', ['-man', '-ww', '-z', '-Tutf8', page(name)]);
  expect(stderr).toBe('');
});

it('subflowd(8) has every command of subflowd, in its order', async () => {
  const main = await readFile(new URL('../../../src/main.ts', import.meta.url), 'utf8');
  const commands = [...main.matchAll(/^command\(\s*'(\w+)'/gm)].map(([, name]) => name ?? '');
  expect(commands.length).toBeGreaterThan(9);
  const text = await read('subflowd.8');
  for (const command of commands) expect(text).toMatch(new RegExp(`^ {7}${command}\\b`, 'm'));
});

describe('subflowd.ini(5)', () => {
  it.each(Object.keys(sections) as SectionKind[])('has every key of the section %s', async (kind) => {
    const source = (await readFile(page('subflowd.ini.5'), 'utf8')).replaceAll('\\-', '-');
    const part = source.split('\n.SH ').find((each) => each.startsWith(`${sectionForms[kind]}\n`)) ?? '';
    const keys = [...part.matchAll(/^\.TP\n\.B (\S+)$/gm)].map(([, key]) => key);
    expect(keys.sort()).toEqual(Object.keys(sections[kind].shape).sort());
  });
});

it('docs/console.md has every command of OpenVPN in its table', async () => {
  const text = await readFile(new URL('../../../docs/console.md', import.meta.url), 'utf8');
  const [, table = ''] = text.split('| what the console does with it');
  const rows = table.slice(0, table.indexOf('\n\n'));
  for (const command of [...DISPOSITIONS.keys(), 'exit', 'quit']) expect(rows).toContain(`\`${command}\``);
});
