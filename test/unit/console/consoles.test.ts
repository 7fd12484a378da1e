import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Consoles } from '../../../src/console/consoles.js';
import { Servers } from '../../../src/openvpn/servers.js';
import { until } from '../../support/until.js';
import { Steered } from './steered.js';

let directory: string;
let servers: Servers;
let consoles: Consoles;
let problems: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-consoles-'));
  problems = [];
  servers = new Servers([section('home'), section('work')]);
  consoles = new Consoles(
    {
      socket: join(directory, 'own'),
      mode: 0o600,
      overrides: join(directory, 'overrides'),
      quotas: '/nowhere',
    },
    new Steered(join(directory, 'overrides'), []),
    {
      onProblem: (text) => {
        problems.push(text);
      },
      onOrder: () => undefined,
    },
  );
});

afterEach(async () => {
  await consoles.close();
  servers.stop();
  rmSync(directory, { recursive: true });
});

/** The `[openvpn NAME]` section of a server. */
function section(name: string) {
  return {
    name,
    events: join(directory, 'events'),
    management: { socket: join(directory, `${name}.management`) },
    console: { socket: join(directory, `${name}.sock`) },
  };
}

it('reports a console that cannot be opened at each change of the config, and opens it once it can', async () => {
  const { socket } = section('work').console;
  writeFileSync(socket, '');
  await consoles.open([]);
  consoles.follow(servers.servers());
  await until('it is reported', () => problems.length === 1);
  consoles.follow(servers.servers());
  await until('it is reported again', () => problems.length === 2);
  expect(problems).toEqual(
    Array(2).fill(`${socket} exists and is not a socket: remove it, or set [console] socket`),
  );
  rmSync(socket);
  consoles.follow(servers.servers());
  await until('it is open', () => existsSync(socket));
  expect(problems).toHaveLength(2);
});
