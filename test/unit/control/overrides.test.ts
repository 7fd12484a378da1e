import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
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

it('keeps an override until it is taken back, over restarts', () => {
  new OverrideStore(file).set('lab/Bob "The Builder" __proto__', 'lte');
  const again = new OverrideStore(file);
  expect([...again.all()]).toEqual([['lab/Bob "The Builder" __proto__', 'lte']]);
  again.set('lab/Bob "The Builder" __proto__', undefined);
  expect([...new OverrideStore(file).all()]).toEqual([]);
  expect(readdirSync(path.dirname(file))).toEqual(['overrides.json']);
});

it.each(['', '{"version":1', '[]', '{"version":2,"overrides":{}}'])('refuses a damaged file: %j', (text) => {
  new OverrideStore(file).set('a/b', 'c');
  writeFileSync(file, text);
  expect(() => new OverrideStore(file)).toThrow(`${file}: this is not a file of overrides`);
});

it('changes nothing in memory when it cannot be kept', () => {
  const store = new OverrideStore('/proc/no/overrides.json');
  expect(() => {
    store.set('a/b', 'c');
  }).toThrow();
  expect([...store.all()]).toEqual([]);
});
