import { describe, expect, test } from 'vitest';
import { mistakes } from '../../support/config-text.js';

describe('mistakes of [openvpn NAME] sections are reported with their line:', () => {
  test.each<[string, string, string[]]>([
    [
      'a console on the network without a password',
      '[openvpn a]\nmanagement = /m\nconsole-auth = 192.0.2.1 7505',
      ['3: [openvpn a]: console-auth: 192.0.2.1 can be reached from other hosts; set console-password-file'],
    ],
    [
      'a console on all networks without a password',
      '[openvpn a]\nmanagement = /m\nconsole-listen = 0.0.0.0 7505',
      ['3: [openvpn a]: console-listen: 0.0.0.0 can be reached from other hosts; set console-password-file'],
    ],
    [
      'a console without management',
      '[openvpn a]\nconsole = /c',
      ['2: [openvpn a]: console: there is nothing to share without management; set management'],
    ],
    [
      'a console password without TCP',
      '[openvpn a]\nmanagement = /m\nconsole-password-file = /pw',
      ['3: [openvpn a]: console-password-file: it is only for TCP; set console-listen, or remove this line'],
    ],
    [
      'two consoles with the same address',
      '[openvpn console]\nmanagement = /m\n[openvpn a]\nmanagement = /n\nconsole = /c\n[openvpn b]\nmanagement = /o\nconsole = /c',
      [
        '1: [openvpn console]: its console is at /run/subflowd/console.sock, and so is that of [console]; set another address in one of them',
        '6: [openvpn b]: its console is at /c, and so is that of [openvpn a]; set another address in one of them',
      ],
    ],
    [
      'two servers of one name',
      '[openvpn]\n[openvpn default]',
      ['2: [openvpn default]: is already on line 1, as [openvpn]; join the two sections'],
    ],
    [
      'servers that share an events directory without management',
      '[openvpn a]\n[openvpn b]\nmanagement = /run/b\n[openvpn c]\nevents = /run/subflowd/../subflowd/events/',
      [
        '5: [openvpn c]: shares the events directory /run/subflowd/events with [openvpn a] (line 1), and neither has management. So subflowd cannot know which of the two a client is connected to; set management or another events directory in one of them',
      ],
    ],
    [
      'management on the network without a password',
      '[openvpn a]\nmanagement = 192.0.2.1 7505',
      [
        '2: [openvpn a]: management: 192.0.2.1 can be reached from other hosts; set password-file here and in OpenVPN, or use a unix socket',
      ],
    ],
    [
      'a password where a file name belongs, without repeating it',
      '[openvpn a]\nmanagement = 127.0.0.1 7505 lilies\npassword-file = lilies\nconsole-password-file = lilies',
      [
        '2: [openvpn a]: management: it has too many words; write /PATH, HOST PORT, HOST:PORT or [IPV6]:PORT; a password file goes into password-file',
        '3: [openvpn a]: password-file: the value is not an absolute path; write the path of a file, which begins with /',
        '4: [openvpn a]: console-password-file: the value is not an absolute path; write the path of a file, which begins with /',
      ],
    ],
    [
      'a password file without management',
      '[openvpn a]\npassword-file = /etc/pw',
      ['2: [openvpn a]: password-file has no effect without management; set management, or remove this line'],
    ],
  ])('%s', (_what, text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  test.each([
    ['127.0.0.1', '`127.0.0.1` has no port'],
    ['127.0.0.1 0', '`0` is not a port'],
    ['127.0.0.1:65536', '`65536` is not a port'],
    ['127.0.0.1 7505 /etc/pw', 'it has too many words'],
    ['::1:7505', '`::1:7505` does not say where the address ends'],
    ['[::g]:7505', '`::g` is not an IPv6 address'],
    ['[localhost]:99999', '`99999` is not a port'],
    ['256.0.0.1:7505', '`256.0.0.1` is not a host'],
    ['run/m.sock unix', '`run/m.sock` is not an absolute path'],
    ['-x:7505', '`-x` is not a host'],
    [':7505', '`` is not a host'],
    ['', '`` has no port'],
  ])('a wrong address: management = %s', (text, message) => {
    const [only, ...others] = mistakes(`[openvpn a]\nmanagement = ${text}`);
    expect(only).toContain(`2: [openvpn a]: management: ${message}`);
    expect(others).toEqual([]);
  });
});
