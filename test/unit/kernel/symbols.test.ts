import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readKallsyms } from '../../../src/kernel/layout/symbols.js';
import { KernelError } from '../../../src/model/kernel-error.js';

it('a kernel that lists no symbols has none', async () => {
  expect(await readKallsyms(join(tmpdir(), 'subflowd-no-such-kallsyms'))).toEqual(new Map());
});

it('symbols that may not be read are an error with a remedy, so that another backend can be chosen', async () => {
  // a directory stands for a file that a unit hides
  const error: unknown = await readKallsyms(tmpdir(), 'the remedy').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(KernelError);
  expect(error).toMatchObject({ step: 'symbols', remedy: 'the remedy' });
});
