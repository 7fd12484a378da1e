// Calls every function of the addon with invalid arguments. A crash of the addon would end the process, so another process
// makes the calls: hostile-calls.js.
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const CALLS = join(import.meta.dirname, 'hostile-calls.js');

/** What one call did. */
interface Outcome {
  readonly returned?: string;
  readonly threw?: boolean;
  readonly code?: string;
}

it('the addon never crashes on invalid arguments, but throws an error or returns a result', async () => {
  const child = await execa(process.execPath, [CALLS], { reject: false, timeout: 120_000 });
  const last = child.stderr.trim().split('\n').at(-1);
  expect(child.exitCode, `${last}\n${child.signal ?? ''}`).toBe(0);
  const results = child.stdout.split('\n').map((line) => JSON.parse(line) as [string, Outcome]);
  expect(results.at(-1)?.[0]).toBe('the end');
  const outcomes = new Map(results);
  expect(outcomes.size).toBe(results.length);
  for (const [name, { returned, threw }] of outcomes) {
    if (name !== 'the end') expect(returned !== undefined || threw === true, name).toBe(true);
  }

  const codeOf = (name: string) => {
    const found = outcomes.get(name);
    expect(found, name).toBeDefined();
    return found?.code;
  };
  const all = (part: string) => [...outcomes].filter(([name]) => name.startsWith(part));
  // ranges beyond any physical memory, or with the end before the start
  for (const [name, { code }] of all('range ')) expect(code, name).toBe('ERANGES');
  expect(codeOf('a path with a zero')).toBe('TypeError');
  // a number of the wrong type or range is never converted
  for (const [name, { code }] of all('a socket in namespace ')) {
    expect(code, name).toBe('TypeError');
  }
  for (const value of ['NaN', 'Infinity', '-1', '0.5', '4294967296', '9007199254740992', '1e+300']) {
    expect(codeOf(`join ${value}`)).toBe('TypeError');
    if (value !== '-1') expect(codeOf(`the peer of ${value}`)).toBe('TypeError');
    expect(codeOf(`mapped, commit at ${value}`)).toBe('TypeError');
  }
  for (const access of ['mapped', 'bytes']) {
    for (const what of ['words', 'addresses']) {
      expect(codeOf(`${access}, gather, rows in place of ${what}`)).toBe('TypeError');
    }
    expect(codeOf(`${access}, gather, status in place of words`)).toBe('TypeError');
    expect(codeOf(`${access}, gather, status in place of rows`)).toBe('TypeError');
    expect(codeOf(`${access}, linear map 0 ${2n ** 64n - 1n} ${2n ** 64n - 1n}`)).toBe('TypeError');
    for (const member of ['gather', 'access', 'mapErrno', 'reads']) {
      expect(codeOf(`${access}, ${member} of a netlink socket`)).toBe('TypeError');
    }
  }
}, 180_000);
