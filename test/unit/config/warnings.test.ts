import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { hostWarnings } from '../../../src/config/host-warnings.js';
import { configWarnings, formatWarning } from '../../../src/config/warnings.js';

function warnings(text: string): string[] {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return configWarnings(result.config).map((warning) => formatWarning('ini', warning));
}

it.each([
  ['[openvpn a]', []],
  ['[openvpn a]\n[client alice]\nprimary =', []],
  [
    '[openvpn a]\n[client alice, bob]\nprimary =',
    [/^ini: \[client alice, bob\]: warning: name: it matches one/],
  ],
  ['[openvpn a]\n[client "alice"]\nprimary =', [/\[client "alice"\]: warning: name: it matches one/]],
  ['[openvpn a]\nmanagement = /run/m', []],
  ['[openvpn a]\nmanagement = 127.0.0.1 7505\npassword-file = /pw', []],
  [
    '[openvpn a]\nmanagement = 127.0.0.1 7505',
    [/^ini: \[openvpn a\]: warning: management: every user of this host can/],
  ],
  ['[openvpn a]\nmanagement = localhost 7505', [/management: every user of this host can/]],
  [
    '[openvpn a]\nmanagement = 192.0.2.1 7505\npassword-file = /pw',
    [/management: unless 192\.0\.2\.1 is this host, subflowd cannot check who listens there/],
  ],
  [
    '[openvpn a]\nmanagement = /run/m\nconsole-listen = ::1 7506',
    [/console-listen: without a password it accepts every user who may write to the socket/],
  ],
  ['[openvpn a]\nmanagement = /run/m\nconsole-listen = ::1 7506\nconsole-password-file = /pw', []],
  ['[openvpn a]\nmanagement = /run/m\nconsole-auth = ::1 7506', [/console-auth: without a password/]],
  ['[openvpn a]\nmanagement = /run/m\nconsole-auth = /run/auth', []],
  [
    '[openvpn a]\n[console]\nmode = 0666',
    [/^ini: \[console\]: warning: mode: with mode 0666 every user of this host can/],
  ],
])('%j lets in %j', (text, expected) => {
  const found = warnings(text);
  expect(found).toHaveLength(expected.length);
  for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(pattern);
});

it('names a group and password files that this host does not have', () => {
  const text = [
    '[openvpn a]',
    'management = /run/m',
    'password-file = /nowhere/pw',
    '[console]',
    'group = no-such-group',
  ].join('\n');
  const result = parseConfig(text);
  const found = result.ok ? hostWarnings(result.config).map((warning) => formatWarning('ini', warning)) : [];
  expect(found).toEqual([
    expect.stringMatching(/^ini: \[console\]: warning: group: there is no group no-such-group on this host/),
    expect.stringMatching(/^ini: \[openvpn a\]: warning: password-file: \/nowhere\/pw does not exist/),
  ]);
});
