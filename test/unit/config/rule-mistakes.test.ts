import { describe, expect, test } from 'vitest';
import { MODES } from '../../../src/model/mode.js';
import { mistakes, PATHS, SERVER } from '../../support/config-text.js';

describe('mistakes of [path NAME] sections and of rules are reported with their line:', () => {
  test.each<[string, string, string[]]>([
    [
      'host bits in a prefix',
      `${SERVER}[path p]\nprefix = 10.0.0.0/8\nprefix = 192.168.100.7/24`,
      [
        '4: [path p]: prefix: `192.168.100.7/24` is an address inside a network; did you mean `192.168.100.0/24`?',
      ],
    ],
    [
      'host bits in an IPv6 prefix, every bad one of a list',
      `${SERVER}[path p]\nprefix = 2001:db8::1/32, nonsense, 10.0.0.0/33`,
      [
        '3: [path p]: prefix: `2001:db8::1/32` is an address inside a network; did you mean `2001:db8::/32`?',
        '3: [path p]: prefix: `nonsense` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `10.0.0.0/33` needs a length from 0 to 32 after the /',
      ],
    ],
    [
      'a prefix without a length',
      `${SERVER}[path p]\nprefix = 192.168.100.0`,
      [
        "3: [path p]: prefix: `192.168.100.0` has no length; write 192.168.100.0/32 for this one address, or the network's own length",
      ],
    ],
    [
      'an empty item',
      `${SERVER}[path p]\nprefix = 10.0.0.0/8,`,
      ['3: [path p]: prefix: an item beside a comma is empty'],
    ],
    [
      'unusual spellings of addresses',
      `${SERVER}[path p]\nprefix = 10.1/16, 0x0a000000/8, fe80::%eth0/64, 10.0.0.0/, 10.0.0.0/ 8`,
      [
        '3: [path p]: prefix: `10.1/16` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `0x0a000000/8` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `fe80::%eth0/64` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `10.0.0.0/` needs a length from 0 to 32 after the /',
        '3: [path p]: prefix: `10.0.0.0/ 8` needs a length from 0 to 32 after the /',
      ],
    ],
    [
      'two paths that overlap',
      `${SERVER}[path wifi]\nprefix = 192.168.0.0/16\n[path lte]\nprefix = 10.0.0.0/8\nprefix = 192.168.200.0/24`,
      [
        '6: [path lte]: prefix: paths wifi (192.168.0.0/16, line 3) and lte (192.168.200.0/24) overlap in 192.168.200.0/24; an address can be on one path only, unless address-id differs',
      ],
    ],
    [
      'two paths that overlap, the larger one last',
      `${SERVER}[path wifi]\nprefix = 2001:db8:1::/48\n[path all]\nprefix = ::/0`,
      [
        '5: [path all]: prefix: paths wifi (2001:db8:1::/48, line 3) and all (::/0) overlap in 2001:db8:1::/48; an address can be on one path only, unless address-id differs',
      ],
    ],
    [
      'a v4-mapped prefix that overlaps an IPv4 one',
      `${SERVER}[path a]\nprefix = 10.0.0.0/8\n[path b]\nprefix = ::ffff:10.0.0.0/104`,
      [
        '5: [path b]: prefix: paths a (10.0.0.0/8, line 3) and b (10.0.0.0/8) overlap in 10.0.0.0/8; an address can be on one path only, unless address-id differs',
      ],
    ],
    [
      'a path that no section defines',
      `${PATHS}[client a]\nprimary = lte, wfii`,
      ['7: [client a]: primary: no [path wfii] is defined (did you mean `wifi`?); known: wifi, lte'],
    ],
    [
      'a path that no section defines, in [default]',
      `${SERVER}[default]\nprimary = lte`,
      ['3: [default]: primary: no [path lte] is defined; the file defines no path'],
    ],
    [
      'the wrong prefix of a path, but not the rule that names the path',
      `${SERVER}[path p]\nprefix = x\n[default]\nprimary = p`,
      ['3: [path p]: prefix: `x` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32'],
    ],
    [
      'a path that is listed twice',
      `${PATHS}[default]\nprimary = lte, wifi, lte`,
      ['7: [default]: primary: `lte` is listed twice'],
    ],
    [
      'a rule without primary',
      `${PATHS}[client a]\n[default]`,
      [
        '6: [client a]: needs a `primary`: list the paths in the order of preference; `primary =` without a value leaves such clients as they are',
        '7: [default]: needs a `primary`: list the paths in the order of preference; `primary =` without a value leaves such clients as they are',
      ],
    ],
    [
      'capacities that are too low, too high or not rates',
      `${SERVER}${['0mbit', '900tbit', '20', '20mbps', '1mbit/2mbit/3mbit'].map((capacity, index) => `[path p${index}]\nprefix = 10.${index}.0.0/16\ncapacity = ${capacity}`).join('\n')}`,
      [
        '4: [path p0]: capacity: `0mbit` is not from 1kbit to 1tbit; remove the line if the rate is not known',
        '7: [path p1]: capacity: `900tbit` is not from 1kbit to 1tbit; remove the line if the rate is not known',
        '10: [path p2]: capacity: `20` is not a rate; write a number and its unit (bit, kbit, mbit, gbit, tbit), e.g. 20mbit, or 50mbit/10mbit for down/up',
        '13: [path p3]: capacity: `20mbps` is not a rate (did you mean `20mbit`?); write a number and its unit (bit, kbit, mbit, gbit, tbit), e.g. 20mbit, or 50mbit/10mbit for down/up',
        '16: [path p4]: capacity: `1mbit/2mbit/3mbit` has more than two directions; write DOWN/UP',
      ],
    ],
    [
      'an unknown mode',
      `${PATHS}[default]\nmode = balanced\nprimary = lte`,
      [
        `7: [default]: mode: \`balanced\` is not known (did you mean \`balance\`?); known: ${MODES.join(', ')}`,
      ],
    ],
    [
      'keys that a mode needs and that are missing',
      `${PATHS}[client a]\nmode = active-standby\n[client b]\nmode = priority-based\n[client c]\nmode = priority-based\nprimary = lte`,
      [
        '6: [client a]: needs a `primary`: list the paths in the order of preference; `primary =` without a value leaves such clients as they are',
        '8: [client b]: needs a `primary`: priority-based needs at least two paths, in the order in which they join',
        '12: [client c]: primary: priority-based needs at least two paths, in the order in which they join',
      ],
    ],
    [
      'unknown paths and wrong costs',
      `${PATHS}[client a]\nmode = balance\nallowed = wfi\ncost = lt 2, lte 0, lte\n[client b]\nmode = balance\nallowed =\ncost = lte 2, lte 3\n[client c]\nmode = balance\nallowed = wfi\ncost = lt 2`,
      [
        '9: [client a]: cost: `lte 0` is not a path and a number from 0.01 to 100; write for example lte 2, if each bit on lte counts twice',
        '9: [client a]: cost: `lte` is not a path and a number from 0.01 to 100; write for example lte 2, if each bit on lte counts twice',
        '12: [client b]: allowed: no path is listed; remove the line to allow all paths',
        '13: [client b]: cost: a path is listed twice',
        '16: [client c]: allowed: no [path wfi] is defined (did you mean `wifi`?); known: wifi, lte',
        '17: [client c]: cost: no [path lt] is defined (did you mean `lte`?); known: wifi, lte',
      ],
    ],
    [
      'an unknown value of both',
      `${PATHS}[default]\nmode = balance\nboth = yes`,
      ['8: [default]: both: `yes` is not known; known: never, when-full'],
    ],
    [
      'a primary that is not allowed',
      `${PATHS}[default]\nprimary = lte, wifi\nallowed = lte`,
      ['7: [default]: primary: wifi is not listed in `allowed`; add it there'],
    ],
    [
      'a path without prefix',
      `${SERVER}[path p]`,
      ['2: [path p]: needs a `prefix`, e.g. prefix = 192.0.2.0/24, or an `address-id`, e.g. address-id = 1'],
    ],
    [
      'a socket path that does not fit',
      `${SERVER}[console]\nsocket = /${'x'.repeat(107)}`,
      ["3: [console]: socket: a socket's path has at most 107 bytes, and this one has 108"],
    ],
  ])('%s', (_what, text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });
});
