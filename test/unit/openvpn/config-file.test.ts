import { describe, expect, it } from 'vitest';
import {
  lastOf,
  quoteConfigWord,
  readConfigLines,
  repeatedHooks,
  repeatedHookText,
} from '../../../src/openvpn/config-file.js';

function read(text: string, files: Readonly<Record<string, string>> = {}) {
  return readConfigLines('/etc/openvpn/a.conf', '/etc/openvpn', (file) =>
    file === '/etc/openvpn/a.conf' ? text : files[file],
  );
}

describe('a config of OpenVPN', () => {
  it('has options with their lines, without comments', () => {
    const lines = read('# port 1\n\n--port 2 ; old\r\n;port 3\n\tport "4 5"\n');
    expect(lines.flatMap(({ line, words }) => (words ? [[line, ...words]] : []))).toEqual([
      [3, 'port', '2'],
      [5, 'port', '4 5'],
    ]);
    expect(lastOf(lines, 'port')?.line).toBe(5);
  });

  it('has no options in an inline block', () => {
    const lines = read('<ca>\nport 1\n </ca>\nport 2\n');
    expect(lines.flatMap(({ words }) => words?.[1] ?? [])).toEqual(['2']);
  });

  it('contains the files that it includes, at their places', () => {
    const lines = read('port 1\nconfig b.conf\nport 3\n', { '/etc/openvpn/b.conf': 'port 2\n' });
    expect(lines.map(({ file, text }) => [file, text])).toEqual([
      ['/etc/openvpn/a.conf', 'port 1'],
      ['/etc/openvpn/a.conf', 'config b.conf'],
      ['/etc/openvpn/b.conf', 'port 2'],
      ['/etc/openvpn/a.conf', 'port 3'],
    ]);
  });

  it('that includes itself ends, also if it does so many times', () => {
    const files = (text: string) => ({ '/etc/openvpn/a.conf': text });
    const once = 'config a.conf\nport 1\n';
    expect(read(once, files(once))).toHaveLength(22);
    const often = 'config a.conf\n'.repeat(100);
    expect(read(often, files(often)).length).toBeLessThan(40_000);
  });

  it('has its repeated hooks named with both lines, unless the last one runs the first', () => {
    const repeated = repeatedHooks(read('client-connect /a\nclient-connect /b\n'));
    expect(repeated.map(repeatedHookText)).toEqual([
      'client-connect is written twice, and OpenVPN runs only the last: /etc/openvpn/a.conf:1 (/a) has no effect, /etc/openvpn/a.conf:2 (/b) has',
    ]);
    expect(repeatedHooks(read('client-connect /a\nclient-connect "/chained /a"\n'))).toEqual([]);
  });
});

it.each([
  ['/a/b', '/a/b'],
  ['/a b', '"/a b"'],
  ['a "b" \\c', '"a \\"b\\" \\\\c"'],
  ['', '""'],
])('the word %s is written so that OpenVPN reads it as one', (word, text) => {
  expect(quoteConfigWord(word)).toBe(text);
  expect(read(`x ${text}\n`)[0]?.words).toEqual(['x', word]);
});
