import { describe, expect, it } from 'vitest';
import type { SubflowPlan } from '../../../src/api/status.js';
import { checkAddresses } from '../../../src/doctor/announced.js';
import { checkSharedPaths } from '../../../src/doctor/shared-paths.js';

const [NAT, HOME, SERVER, SERVER2] = ['198.51.100.7', '198.51.100.8', '192.0.2.1', '192.0.2.2'];

function subflow(
  address: string,
  id: number | undefined,
  path: string | undefined,
  { local = SERVER, throughTunnel = false } = {},
): SubflowPlan {
  return {
    subflow: {
      local: { address: local, port: 1194 },
      remote: { address, port: 40_000 },
      ours: 'active',
      peers: 'active',
      mpPrioPending: false,
      ...(id !== undefined && { id }),
    },
    ...(path !== undefined && { path }),
    throughTunnel,
    asWished: true,
  };
}

const found = (...subflows: SubflowPlan[]) => checkSharedPaths('client a', subflows).map((one) => one.found);

describe('subflows of one client that may be on different networks', () => {
  it('are noted if they come from one address, with the remedy', () => {
    const [check, ...more] = checkSharedPaths('client a', [subflow(NAT, 1, 'wifi'), subflow(NAT, 0, 'wifi')]);
    expect(more).toEqual([]);
    expect(check).toMatchObject({ name: 'client a', verdict: 'note' });
    expect(check?.found).toBe(
      '2 of its subflows come from the address 198.51.100.7 (address IDs 0, 1) and are on path wifi: a NAT hides which ' +
        'networks they use',
    );
    expect(check?.remedy).toContain('address-id = ID in the [path NAME]');
  });

  it.each([
    ['on no path', [subflow(NAT, 0, undefined), subflow(NAT, 1, undefined)], /and are on no path/],
    [
      'without known IDs',
      [subflow(NAT, undefined, 'wifi'), subflow(NAT, undefined, 'wifi')],
      /7 and are on path wifi/,
    ],
    [
      'at two addresses of one path',
      [subflow(NAT, 0, 'wifi'), subflow(HOME, 1, 'wifi')],
      /^all its 2 subflows are on path wifi \(address IDs 0, 1\)$/,
    ],
  ])('are noted %s', (_, subflows, text) => {
    expect(found(...subflows)).toEqual([expect.stringMatching(text)]);
  });

  it.each([
    ['told apart by their IDs', [subflow(NAT, 0, 'wifi'), subflow(NAT, 1, 'lte')]],
    ['at two paths', [subflow(NAT, 0, 'wifi'), subflow(HOME, 1, 'lte')]],
    [
      'from one address to two of the server',
      [subflow(NAT, 0, 'a'), subflow(NAT, 0, 'a', { local: SERVER2 })],
    ],
    [
      'the same, without known IDs',
      [subflow(NAT, undefined, 'a'), subflow(NAT, undefined, 'a', { local: SERVER2 })],
    ],
    [
      'two of one path and one of another',
      [subflow(NAT, 0, 'a'), subflow(HOME, 1, 'a'), subflow('192.0.2.9', 2, 'b')],
    ],
    [
      'one, and one through the tunnel',
      [subflow(NAT, 0, 'a'), subflow(NAT, 1, undefined, { throughTunnel: true })],
    ],
    ['several on no path at all', [subflow(NAT, 0, undefined), subflow(HOME, 1, undefined)]],
  ])('are not noted if they are %s', (_, subflows) => {
    expect(found(...subflows)).toEqual([]);
  });
});

describe('an announced address', () => {
  const V6 = '2001:db8::1';
  const announced = (listening: readonly string[], pmType = 1) =>
    checkAddresses('server a', [SERVER, V6], { pmType, listening }).map((one) => [one.verdict, one.found]);

  it.each([
    ['the server listens on all addresses', ['::'], []],
    ['the server listens on each', [SERVER, V6], []],
    ['the server listens on IPv4 only', ['0.0.0.0'], [V6]],
    ['the server listens on another address', [SERVER2], [SERVER, V6]],
  ])('is noted unless the server listens there: %s', (_, listening, noted) => {
    expect(announced(listening)).toEqual(
      noted.map((one) => [
        'note',
        `it announces ${one} and does not listen there: the kernel refuses subflows to that address`,
      ]),
    );
  });

  it('is noted where subflowd cannot announce it', () => {
    expect(announced(['::'], 0)).toEqual([
      ['note', expect.stringContaining('announce has no effect under net.mptcp.pm_type = 0')],
    ]);
  });
});
