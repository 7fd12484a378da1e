import { expect, test } from 'vitest';
import { EndedServers } from '../../../src/control/ended-servers.js';

const ended = new Map([[7, 'process 7: there is no process 7']]);

test('a process that has ended is reported after two seconds', () => {
  const servers = new EndedServers();
  expect(servers.update(ended, 1000)).toEqual([]);
  expect(servers.update(ended, 2999)).toEqual([]);
  expect(servers.update(ended, 3000)).toEqual(['process 7: there is no process 7']);
});

test('a server that is started again within this time is not reported', () => {
  const servers = new EndedServers();
  servers.update(ended, 1000);
  expect(servers.update(new Map(), 2000)).toEqual([]);
  expect(servers.update(ended, 3000)).toEqual([]);
});
