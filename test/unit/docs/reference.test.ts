import { describe, expect, it } from 'vitest';
import { CONFIG_KEYS } from './config-keys.js';
import { readDocument } from './documents.js';

/** The heading of docs/reference.md that has the keys of each kind of section. */
const HEADINGS = {
  openvpn: 'Servers',
  path: 'Paths',
  client: 'Rules',
  default: 'Rules',
  steering: 'Steering',
  console: 'Console',
  kernel: 'Kernel',
} as const;

interface Row {
  readonly key: string;
  readonly meaning: string;
  readonly byDefault: string;
}

function rowsUnder(heading: string): Row[] {
  const part =
    readDocument('docs/reference.md')
      .split('\n## ')
      .find((each) => each.startsWith(`${heading}\n`)) ?? '';
  return [...part.matchAll(/^\| `([\w-]+)` +\| (.*?) +\| (.*?) +\|$/gm)].map(
    ([, key = '', meaning = '', byDefault = '']) => ({ key, meaning, byDefault }),
  );
}

function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

describe('docs/reference.md', () => {
  it.each(Object.entries(HEADINGS))('has every key of [%s] under %s', (kind, heading) => {
    const known = CONFIG_KEYS.filter((each) => each.kind === kind).map(({ key }) => key);
    expect(
      rowsUnder(heading)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(known.sort());
  });

  it.each(CONFIG_KEYS)(
    'has the values and the default of [$kind] $key',
    ({ kind, key, choices, ...known }) => {
      const { meaning = '', byDefault = '' } = rowsUnder(HEADINGS[kind]).find((row) => row.key === key) ?? {};
      if (choices) expect(codeIn(meaning).sort()).toEqual([...choices].sort());
      if (known.default === undefined) return;
      const [value = '', ...more] = codeIn(byDefault);
      expect(more).toEqual([]);
      expect(known.parse(value)).toEqual(known.default);
    },
  );
});

it('docs/modes.md has a row for each mode, and for nothing else', () => {
  const { choices = [] } = CONFIG_KEYS.find(({ kind, key }) => kind === 'client' && key === 'mode') ?? {};
  const [, table = ''] = readDocument('docs/modes.md').split(/^\| mode .*\n/m);
  const modes = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\| `([\w-]+)`/gm)].map(
    ([, mode]) => mode,
  );
  expect(modes).toEqual(choices);
});

it('the parser names the choices of each key that has some', () => {
  const withChoices = CONFIG_KEYS.filter(({ choices }) => choices).map(({ kind, key }) => `${kind} ${key}`);
  expect(withChoices.sort()).toEqual([
    'client both',
    'client mode',
    'client peer-backup',
    'default both',
    'default mode',
    'default peer-backup',
    'kernel backend',
    'openvpn console-hangup',
    'steering dry-run',
  ]);
});
