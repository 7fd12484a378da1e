import { describe, expect, it } from 'vitest';
import { pathFinder, rememberingPathFinder } from '../../../src/steering/paths.js';
import { plan } from '../../../src/steering/plan.js';
import { PID, SERVER } from '../../support/alice.js';
import { configOf } from '../../support/config.js';

const NAT = '198.51.100.7';

describe('the path of a subflow, if paths have address IDs', () => {
  it.each([
    ['the ID tells two paths with one prefix apart', 0, 'wifi'],
    ['the same for the other path', 1, 'lte'],
    ['another ID there is on no path', 2, undefined],
    ['an ID that is not known is on no path', undefined, undefined],
  ])('%s', (_, id, path) => {
    const paths = [
      { name: 'wifi', prefixes: ['198.51.100.0/24'], addressIds: [0] },
      { name: 'lte', prefixes: ['198.51.100.0/24'], addressIds: [1] },
    ];
    expect(pathFinder(paths)(NAT, id)).toBe(path);
    for (let time = 0; time < 2; time++) expect(rememberingPathFinder(paths)(NAT, id)).toBe(path);
  });

  it.each([
    ['a path with the ID wins over one without IDs', NAT, 1, 'lte'],
    ['also where the other prefix is longer', '198.51.100.9', 1, 'lte'],
    ['another ID is on the path without IDs', NAT, 0, 'wifi'],
    ['so is an ID that is not known', NAT, undefined, 'wifi'],
    ['with the ID but outside of all prefixes it is on no path', '192.0.2.1', 1, undefined],
    ['a path without prefix has its ID from every address', '192.0.2.1', 7, 'van'],
    ['and also inside the prefix of another path', NAT, 8, 'van'],
  ])('%s', (_, address, id, path) => {
    const paths = [
      { name: 'wifi', prefixes: ['198.51.100.0/24', '198.51.100.9/32'] },
      { name: 'lte', prefixes: ['198.51.0.0/16'], addressIds: [1] },
      { name: 'van', prefixes: [], addressIds: [7, 8] },
    ];
    expect(pathFinder(paths)(address, id)).toBe(path);
  });

  it('a rule steers two subflows from one address', () => {
    const config = configOf(['lte'], {
      paths: [
        { name: 'wifi', prefixes: ['198.51.100.0/24'], maxLoss: 0.1 },
        { name: 'lte', prefixes: [], addressIds: [1], maxLoss: 0.1 },
      ],
    });
    const real = { address: NAT, port: 1 };
    const subflow = { local: SERVER, ours: 'active', peers: 'active', mpPrioPending: false } as const;
    const subflows = [
      { ...subflow, remote: real, id: 0 },
      { ...subflow, remote: { address: NAT, port: 2 }, id: 1 },
    ];
    const session = { server: 'lab', pid: PID, commonName: 'alice', real, virtual: [] };
    const connection = { pid: PID, remote: real, local: SERVER, token: 1, subflows };
    const { sessions } = plan({ sessions: [{ session, connection }] }, config, new Map());
    expect(sessions[0]?.subflows.map(({ path }) => path)).toEqual(['wifi', 'lte']);
    expect(sessions[0]?.wishes).toMatchObject([{ name: { remote: real }, priority: 'backup' }]);
  });
});
