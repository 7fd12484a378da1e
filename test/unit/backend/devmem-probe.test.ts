import { expect, it } from 'vitest';
import { judgeLayout } from '../../../src/backend/devmem-probe.js';
import { Layout } from '../../../src/kernel/layout/layout.js';
import { ALL_LAYOUTS } from '../../support/layouts.js';

const FILE = { release: '6.1.0', buildId: 'ab', symbols: new Map<string, bigint>() };

it.each(ALL_LAYOUTS)('a layout of this version is ok: %s', (_, layout) => {
  expect(judgeLayout('/etc/layout.json', { ...FILE, layout }).verdict).toBe('ok');
});

it.each(ALL_LAYOUTS)('a layout of an earlier version, without address IDs, is a note: %s', (_, { data }) => {
  const fields = Object.fromEntries(
    Object.entries(data.fields).filter(([name]) => !name.endsWith('.remote_id') && !name.endsWith('.rem_id')),
  );
  const check = judgeLayout('/etc/layout.json', { ...FILE, layout: new Layout({ ...data, fields }) });
  expect(check).toMatchObject({ name: 'layout', verdict: 'note' });
  expect(check.found).toContain('has no address IDs');
  expect(check.remedy).toContain('subflowd layout');
});
