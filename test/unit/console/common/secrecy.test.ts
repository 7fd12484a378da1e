import { describe, expect, it } from 'vitest';
import { DISPOSITIONS } from '../../../../src/console/common/dispositions.js';
import { mayBeStored, loggableOrder } from '../../../../src/console/common/secrecy.js';
import { COMMAND_NAMES } from '../../../../src/openvpn/management/command-names.js';
import { parseLine } from '../../../../src/openvpn/management/command-line.js';

function logged(line: string): string | undefined {
  const parsed = parseLine(line);
  if (typeof parsed === 'string') return undefined;
  const [command = '', ...parameters] = parsed.words;
  return loggableOrder(command, parameters);
}

describe('the loggable part of an order', () => {
  it.each([
    ['verb 4', 'verb 4'],
    ['signal SIGUSR1', 'signal SIGUSR1'],
    ['kill "alice b"', 'kill alice b'],
    ['auth-retry interact', 'auth-retry interact'],
    ['forget-passwords', 'forget-passwords'],
    ['client-kill 3 "your password is lilies"', 'client-kill 3'],
    ['push-update-cid 3 "auth-token lilies"', 'push-update-cid 3'],
    ['push-update-broad "auth-token lilies"', 'push-update-broad'],
    ['verb lilies', 'verb'],
    ['verb 4 lilies', 'verb 4'],
  ])('of %s is %s', (line, expected) => {
    expect(logged(line)).toBe(expected);
  });

  it.each([
    'Password "Auth" lilies',
    'passwrd Auth lilies',
    'pasword',
    'USERNAME Auth alice',
    'Client-auth 1 0',
    'lilies',
  ])('is nothing of %s', (line) => {
    expect(logged(line)).toBeUndefined();
  });

  it('is nothing of a command that answers a question of OpenVPN', () => {
    for (const [command, disposition] of DISPOSITIONS)
      if (disposition !== 'order') expect(loggableOrder(command, ['Auth', 'lilies'])).toBeUndefined();
  });
});

describe('the history of a terminal', () => {
  it.each(['status 3', 'log on all', 'kill alice', 'mptcp primary Zoë lte', '"mptcp" status', 'exit'])(
    'keeps %s',
    (line) => {
      expect(mayBeStored(line)).toBe(true);
    },
  );

  it.each([
    ...['password Auth lilies', 'Password Auth lilies', '  "password" Auth lilies', 'passwrd Auth lilies'],
    ...[
      'username Auth alice',
      'cr-response bGlsaWVz',
      'needstr x lilies',
      'client-deny 1 0 lilies',
      'lilies',
    ],
    ...['push-update-broad "auth-token lilies"', 'client-kill 3 lilies', 'password "open', '# lilies', ''],
  ])('does not keep %j', (line) => {
    expect(mayBeStored(line)).toBe(false);
  });
});

it('command names that messages may contain are those that the console knows', () => {
  expect([...COMMAND_NAMES].sort()).toEqual([...DISPOSITIONS.keys()].sort());
});
