import { expect, it } from 'vitest';
import { mistakes, parsed } from '../../support/config-text.js';

it('announce lists addresses in their canonical form', () => {
  const { servers } = parsed(
    '[openvpn a]\nannounce = 2001:DB8:0::1, 192.0.2.1, ::ffff:192.0.2.2\n[openvpn b]\nevents = /b',
  );
  expect(servers.map(({ announce }) => announce)).toEqual([
    ['2001:db8::1', '192.0.2.1', '192.0.2.2'],
    undefined,
  ]);
});

const FORM = 'write one as 192.0.2.1 or 2001:db8::1';
const REACHABLE = 'write an address of this server that its clients can reach';

it.each([
  ['vpn.example.com', [`\`vpn.example.com\` is not an IP address; ${FORM}`]],
  ['192.0.2.0/24', [`\`192.0.2.0/24\` is not an IP address; ${FORM}`]],
  ['::', [`\`::\` means every address of this host; ${REACHABLE}`]],
  [
    '127.0.0.1, fe80::1, 224.0.0.1',
    [
      `\`127.0.0.1\` is this host itself, which no client can reach; ${REACHABLE}`,
      `\`fe80::1\` is valid on one link only; ${REACHABLE}`,
      `\`224.0.0.1\` is a multicast address; ${REACHABLE}`,
    ],
  ],
  ['192.0.2.1, ::ffff:192.0.2.1', ['`192.0.2.1` is listed twice']],
  [Array.from({ length: 9 }, (_, at) => `192.0.2.${at + 1}`).join(), ['it lists 9; 8 are read at most']],
])('announce = %s is a mistake', (value, expected) => {
  expect(mistakes(`[openvpn a]\nannounce = ${value}`)).toEqual(
    expected.map((message) => `2: [openvpn a]: announce: ${message}`),
  );
});
