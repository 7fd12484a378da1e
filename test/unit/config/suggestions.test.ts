import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';

const BASE = [
  '[openvpn lab]',
  '[path wifi]',
  'prefix = 192.168.100.0/24',
  '[path lte]',
  'prefix = 192.168.200.0/24',
];

function messages(...lines: string[]): string[] {
  const result = parseConfig([...BASE, ...lines].join('\n'));
  return result.ok ? [] : result.problems.map(({ message }) => message);
}

it.each([
  [['capacity = 20M'], 'did you mean `20mbit`?'],
  [['capacity = 20 Mbps'], 'did you mean `20mbit`?'],
  [['capacity = 1.5Gb'], 'did you mean `1.5gbit`?'],
  [['[default]', 'mode = balanced'], 'did you mean `balance`?'],
  [['[default]', 'mode = load_balancing'], 'did you mean `load-balancing`?'],
  [['[default]', 'primary = "wifi", "lte"'], 'did you mean `wifi`?'],
  [['[default]', 'primary = wifi lte'], 'did you mean `wifi, lte`?'],
  [['[path x]', 'prefix = 10.0.0.0/255.255.255.0'], 'did you mean `10.0.0.0/24`?'],
])('%j is answered with what was meant', (lines, meant) => {
  expect(messages(...lines)[0]).toContain(meant);
});

it.each(['/run/a.sock', '127.0.0.1 7505'])(
  'two servers cannot have the management interface %s',
  (address) => {
    const found = messages(
      '[openvpn a]',
      `management = ${address}`,
      '[openvpn b]',
      `management = ${address}`,
    );
    expect(found).toEqual([
      `management: ${address} is the management interface of [openvpn a] (line 6); each OpenVPN has its own`,
    ]);
  },
);
