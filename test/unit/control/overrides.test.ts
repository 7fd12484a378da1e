import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectOverrides } from '../../../src/control/overrides-file.js';
import { OverrideStore } from '../../../src/control/overrides.js';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'overrides-'));
  file = path.join(directory, 'state', 'overrides.json');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const kept = () => [...new OverrideStore(file).all()];
const beside = () => readdirSync(path.dirname(file)).sort();

it('keeps an override over restarts until an admin removes it', () => {
  new OverrideStore(file).set('lab/Bob "The Builder" __proto__', 'lte');
  const again = new OverrideStore(file);
  expect([...again.all()]).toEqual([['lab/Bob "The Builder" __proto__', 'lte']]);
  expect(again.problems()).toEqual([]);
  again.set('lab/Bob "The Builder" __proto__', undefined);
  expect(kept()).toEqual([]);
  expect(beside()).toEqual(['overrides.json', 'overrides.json.copy']);
  expect(inspectOverrides(file)).toEqual([]);
});

it('has no override without a file, and does not create one', () => {
  expect(kept()).toEqual([]);
  expect(existsSync(path.dirname(file))).toBe(false);
  new OverrideStore(file).set('a/b', 'c');
  // removed by an admin to delete all overrides
  rmSync(file);
  expect(kept()).toEqual([]);
});

it('changes nothing in memory if an override cannot be written', () => {
  const store = new OverrideStore('/proc/no/overrides.json');
  expect(() => {
    store.set('a/b', 'c');
  }).toThrow();
  expect([...store.all()]).toEqual([]);
});

describe.each(['', '{"version":1', '[]', '{"version":2,"overrides":{}}', '\0'.repeat(4096)])(
  'a damaged file, %j,',
  (text) => {
    beforeEach(() => {
      const store = new OverrideStore(file);
      store.set('a/b', 'lte');
      store.set('c/d', 'wifi');
      writeFileSync(file, text);
    });

    it('is renamed, and its copy is in force', () => {
      expect(inspectOverrides(file)).toMatchObject([{ problem: `${file} is not a file of overrides` }]);
      const store = new OverrideStore(file);
      expect([...store.all()]).toEqual([
        ['a/b', 'lte'],
        ['c/d', 'wifi'],
      ]);
      expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(text);
      expect(store.problems()).toEqual([
        `${file} is not a file of overrides; its copy is in force, overrides: 2; it was renamed to ` +
          `${file}.damaged: set the missing overrides again, then remove that file`,
      ]);
      store.set('e/f', 'lte');
      expect(kept()).toHaveLength(3);
    });

    it('is a problem over restarts until an admin removes it', () => {
      expect(kept()).toHaveLength(2);
      const store = new OverrideStore(file);
      const problem = `a file of overrides that could not be read was renamed to ${file}.damaged`;
      expect(store.problems()).toEqual([
        `${problem}: set the missing overrides again, then remove that file`,
      ]);
      expect(inspectOverrides(file)).toMatchObject([
        { problem, remedy: expect.stringContaining('rm ') as string },
      ]);
      rmSync(`${file}.damaged`);
      expect(store.problems()).toEqual([]);
      expect(inspectOverrides(file)).toEqual([]);
    });

    it('is renamed, and no override is in force, if the copy is missing or damaged', () => {
      for (const change of [
        () => {
          rmSync(`${file}.copy`);
        },
        () => {
          writeFileSync(`${file}.copy`, text);
        },
      ]) {
        writeFileSync(file, text);
        change();
        const store = new OverrideStore(file);
        expect([...store.all()]).toEqual([]);
        expect(store.problems().join()).toContain('no override is in force');
        store.set('a/b', 'lte');
        expect(kept()).toEqual([['a/b', 'lte']]);
        rmSync(`${file}.damaged`);
      }
    });

    it('is kept when the next one is damaged, up to ten files', () => {
      for (let turn = 1; turn <= 12; turn++) {
        writeFileSync(file, `${text}${turn}`);
        expect(kept()).toHaveLength(2);
      }
      const aside = beside().filter((name) => name.includes('damaged'));
      expect(aside).toHaveLength(10);
      expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(`${text}1`);
      expect(readFileSync(`${file}.damaged.10`, 'utf8')).toBe(`${text}12`);
    });
  },
);

describe('a file that cannot be read', () => {
  it.each<[string, (at: string) => unknown]>([
    ['a FIFO', (at) => execa('mkfifo', [at])],
    [
      'an endless device',
      (at) => {
        symlinkSync('/dev/zero', at);
      },
    ],
    [
      'a directory',
      (at) => {
        mkdirSync(at);
      },
    ],
  ])('(%s) does not stop the daemon; no override can be set until it is removed', async (_what, make) => {
    mkdirSync(path.dirname(file));
    await make(file);
    const store = new OverrideStore(file);
    expect([...store.all()]).toEqual([]);
    expect(store.problems()).toEqual([`${file} is not a regular file; no override is in force`]);
    expect(() => {
      store.set('a/b', 'lte');
    }).toThrow(`${file} cannot be written: it is not a regular file`);
    expect([...store.all()]).toEqual([]);
    expect(beside()).toEqual(['overrides.json']);
    expect(inspectOverrides(file)).toMatchObject([{ problem: `${file} is not a regular file` }]);
    rmSync(file, { recursive: true });
    store.set('a/b', 'lte');
    expect(store.problems()).toEqual([]);
    expect(kept()).toEqual([['a/b', 'lte']]);
  });

  it('is renamed before a new one is written, if it is larger than any list of overrides', () => {
    new OverrideStore(file).set('a/b', 'lte');
    writeFileSync(file, Buffer.alloc((1 << 24) + 1, 0x20));
    const store = new OverrideStore(file);
    expect(store.problems()).toEqual([`${file} is larger than 16 MiB; its copy is in force, overrides: 1`]);
    store.set('c/d', 'wifi');
    expect(beside()).toEqual(['overrides.json', 'overrides.json.copy', 'overrides.json.damaged']);
    expect(kept()).toHaveLength(2);
  });
});

describe('the copy', () => {
  it('is written if it is missing or differs', () => {
    const store = new OverrideStore(file);
    store.set('a/b', 'lte');
    const text = readFileSync(`${file}.copy`, 'utf8');
    expect(text).toBe(readFileSync(file, 'utf8'));
    store.set('a/b', 'wifi');
    for (const change of [
      () => {
        rmSync(`${file}.copy`);
      },
      () => {
        writeFileSync(`${file}.copy`, text);
      },
    ]) {
      change();
      expect(kept()).toEqual([['a/b', 'wifi']]);
      expect(readFileSync(`${file}.copy`, 'utf8')).toBe(readFileSync(file, 'utf8'));
    }
  });

  it('does not cost an override if it cannot be written, and is a problem', () => {
    mkdirSync(`${file}.copy`, { recursive: true });
    chmodSync(path.dirname(file), 0o755);
    const store = new OverrideStore(file);
    store.set('a/b', 'lte');
    expect(kept()).toEqual([['a/b', 'lte']]);
    expect(store.problems()).toEqual([
      `the overrides are only in ${file}: ${file}.copy cannot be written: it is not a regular file`,
    ]);
    rmSync(`${file}.copy`, { recursive: true });
    store.set('a/b', 'wifi');
    expect(store.problems()).toEqual([]);
  });
});

it('more overrides than the largest file can have are refused', () => {
  const store = new OverrideStore(file);
  store.set('a/b', 'lte');
  expect(() => {
    store.set(`a/${'x'.repeat(1 << 24)}`, 'lte');
  }).toThrow('2 overrides do not fit in a file of 16 MiB');
  expect(kept()).toEqual([['a/b', 'lte']]);
});
