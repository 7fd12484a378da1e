import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConsoleSockets } from '../../../src/config/console-sockets.js';
import { parseConfig } from '../../../src/config/parse.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** The sockets that are found in a config with these lines, as [own, [server, socket], ...]. */
async function socketsIn(...lines: readonly string[]): Promise<readonly unknown[]> {
  const file = join(temporaryDirectory(), 'subflowd.ini');
  writeFileSync(file, lines.join('\n'));
  const { own, servers } = await readConsoleSockets(file);
  return [own, ...servers];
}

describe('readConsoleSockets', () => {
  it('finds the sockets that the parser finds in a config without a mistake', async () => {
    const lines = [
      ...['[openvpn office]', 'management = /run/m1', 'console = "/run/office; 1"'],
      ...['[openvpn home]', 'management = /run/m2', '[path wifi]', 'prefix = 192.168.100.0/24'],
      ...['[default]', 'primary = wifi', '[console]', 'socket = /srv/c.sock ; ours'],
    ];
    const parsed = parseConfig(lines.join('\n'));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const { console, servers } = parsed.config;
    expect(await socketsIn(...lines)).toEqual([
      console.socket,
      ...servers.map((server) => [server.name, server.console?.socket]),
    ]);
  });

  it.each([
    [['nonsense', '[console', '[console]', 'socket = /srv/c', 'mode = many', 'x'], ['/srv/c']],
    [['[console]', 'socket = /srv/c', '[console]', 'socket = relative'], ['/srv/c']],
    [['[console]', 'socket'], ['/run/subflowd/console.sock']],
    [
      ['[openvpn a]', 'console = 1'],
      ['/run/subflowd/console.sock', ['a', '/run/subflowd/a.sock']],
    ],
  ])('finds them in a file with mistakes: %j', async (lines, expected) => {
    expect(await socketsIn(...lines)).toEqual(expected);
  });

  it('takes the default console if there is no file', async () => {
    const { own, servers } = await readConsoleSockets(join(temporaryDirectory(), 'none.ini'));
    expect([own, servers.size]).toEqual(['/run/subflowd/console.sock', 0]);
  });
});
