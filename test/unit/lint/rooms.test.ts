import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ESLint, Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { ROOMS, walls } from '../../lint/rooms.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const rooms = Object.keys(ROOMS);
const linter = new Linter({ cwd: ROOT });

/** The messages of the walls about a file with this text in a room. */
function lint(room: string, text: string): readonly string[] {
  const config = [
    { files: ['**/*.ts'], languageOptions: { parser: tseslint.parser as Linter.Parser } },
    ...walls,
  ];
  return linter
    .verify(text, config, path.join(ROOT, 'src', room, 'planted.ts'))
    .map(({ message }) => message);
}

/** The path by which a file of one room imports a file of another. */
function specifier(from: string, to: string): string {
  return path.posix.relative(`/src/${from}`, `/src/${to}/planted-too.js`).replace(/^(?!\.)/, './');
}

describe('the walls between rooms', () => {
  it('know every directory of src that has files', () => {
    const directories = readdirSync(path.join(ROOT, 'src'), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.parentPath !== path.join(ROOT, 'src'))
      .map(({ parentPath }) => path.relative(path.join(ROOT, 'src'), parentPath));
    const unknown = directories.filter(
      (directory) => !rooms.some((room) => directory === room || directory.startsWith(`${room}/`)),
    );
    expect(unknown).toEqual([]);
  });

  it('allow no cycle: a room imports only rooms that do not import it, directly or indirectly', () => {
    const reached = (room: string): readonly string[] => {
      const found = new Set<string>();
      const follow = (from: string) => {
        for (const to of ROOMS[from] ?? []) {
          if (found.has(to)) continue;
          found.add(to);
          follow(to);
        }
      };
      follow(room);
      return [...found];
    };
    for (const room of rooms) expect(reached(room), room).not.toContain(room);
  });

  const forbidden = rooms.flatMap((from) =>
    rooms
      .filter((to) => to !== from && !(ROOMS[from] ?? []).includes(to))
      .map((to): readonly [string, string] => [from, to]),
  );

  it.each(forbidden)('refuse an import in %s of %s, in every form', (from, to) => {
    const name = specifier(from, to);
    for (const text of [
      `import { a } from '${name}'; a();`,
      `import type { A } from '${name}'; export type B = A;`,
      `export { a } from '${name}';`,
      `export * from '${name}';`,
      `await import('${name}');`,
    ]) {
      expect(lint(from, text)).toEqual([expect.stringMatching(/may import .* but not/)]);
    }
  });

  const allowed = rooms.flatMap((from) =>
    (ROOMS[from] ?? []).map((to): readonly [string, string] => [from, to]),
  );

  it.each(allowed)('allow an import in %s of %s', (from, to) => {
    expect(lint(from, `export { a } from '${specifier(from, to)}';`)).toEqual([]);
  });

  it.each(rooms)('refuse an import in %s of a file directly in src', (room) => {
    const up = '../'.repeat(room.split('/').length);
    expect(lint(room, `import '${up}daemon.js';`)).toHaveLength(1);
  });

  it.each([
    "import { readFileSync } from 'node:fs'; readFileSync('/');",
    'Date.now();',
    'new Date();',
    'performance.now();',
    'globalThis.performance.now();',
    'Math.random();',
    'setTimeout(() => undefined, 1);',
    'process.hrtime();',
  ])('refuse %s in steering', (text) => {
    for (const room of ['steering', 'steering/modes', 'steering/balancer', 'steering/measure'])
      expect(lint(room, text)).toHaveLength(1);
    expect(lint('control', text)).toEqual([]);
  });

  it('are part of the linter’s config', async () => {
    const eslint = new ESLint({ cwd: ROOT });
    for (const room of rooms) {
      const config = (await eslint.calculateConfigForFile(path.join(ROOT, 'src', room, 'planted.ts'))) as {
        readonly rules: Readonly<Record<string, readonly unknown[]>>;
      };
      expect(config.rules['rooms/imports'], room).toEqual([2]);
    }
  });
});
