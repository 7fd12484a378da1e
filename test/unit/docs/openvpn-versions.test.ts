import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { newerSuite } from '../../lab/openvpn/newer.js';
import { testsOfOpenvpn } from '../../lab/openvpn/tests.js';

const page = readFileSync(new URL('../../../docs/openvpn-versions.md', import.meta.url), 'utf8');

it('the command that proves a version runs every test that talks to OpenVPN', () => {
  const [, names = ''] = /test\/e2e\/\{([\w,-]+)\}\.test\.ts/.exec(page) ?? [];
  expect(names.split(',')).toEqual(testsOfOpenvpn());
});

it('the newer version is of the release that the tests get it from', () => {
  expect(page).toMatch(new RegExp(`^\\| 2\\.7\\.\\d+ \\(Debian's ${newerSuite}\\)`, 'm'));
});
