import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { checkServer, MAX_PEERS, peersText } from '../../../src/doctor/servers.js';
import type { ServerStatus } from '../../../src/openvpn/server-status.js';

/** Larger than PID_MAX_LIMIT, so no process has this PID. */
const NO_PID = 4_194_305;

function server(more: Partial<ServerStatus>): ServerStatus {
  return { name: 'lab', management: 'absent', recorded: 0, pids: [], ...more };
}

describe('checkServer', () => {
  it.each([
    [{}, 'unknown', 'no hook has recorded a session yet: connect a client', undefined],
    [{ management: 'unreachable' }, 'bad', 'has not answered yet', 'openvpn-conf/server.conf'],
    [
      { management: 'unreachable', managementTrouble: 'nobody listens' },
      'bad',
      'nobody listens',
      '[openvpn lab]',
    ],
    [
      { management: 'connected', version: 'OpenVPN 2.6.14 x86_64' },
      'ok',
      'management answers: OpenVPN 2.6.14',
      undefined,
    ],
  ] as const)('%j is %s', async (status, verdict, found, remedy) => {
    const [check, ...rest] = await checkServer(server(status));
    expect(check).toMatchObject({ name: 'server lab', verdict });
    expect(check?.found).toContain(found);
    if (remedy === undefined) expect(check).not.toHaveProperty('remedy');
    else expect(check?.remedy).toContain(remedy);
    expect(rest).toEqual([]);
  });

  it('only notes unreachable management if the hooks record sessions', async () => {
    const [check] = await checkServer(
      server({ management: 'unreachable', managementTrouble: 'away', recorded: 3, pids: [NO_PID] }),
    );
    expect(check).toMatchObject({ verdict: 'note', found: 'away; the hooks have recorded 3 sessions' });
  });

  it('reports a process that is gone', async () => {
    expect(await checkServer(server({ pids: [NO_PID] }))).toContainEqual({
      name: `server lab, process ${NO_PID}`,
      verdict: 'unknown',
      found: 'the process is gone',
    });
  });

  let listener: Server | undefined;
  afterEach(() => listener?.close());

  it('reports a process that serves UDP and TCP if only hooks report its clients', async () => {
    listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const udp = createSocket('udp4').bind(0, '127.0.0.1');
    await once(udp, 'listening');
    try {
      const found = async (status: Partial<ServerStatus>) =>
        (await checkServer(server({ pids: [process.pid], ...status })))
          .map((check) => check.found)
          .join('\n');
      expect(await found({})).toContain('it serves UDP and TCP, and hooks cannot see');
      expect(await found({ management: 'unreachable' })).toContain('it serves UDP and TCP');
      expect(await found({ management: 'connected' })).not.toContain('hooks cannot see');
    } finally {
      udp.close();
    }
  });

  it('reports a plain TCP listener without /dev/net/tun, and how to fix both', async () => {
    listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const name = `server lab, process ${process.pid}`;
    const checks = (await checkServer(server({ pids: [process.pid] }))).filter(
      (check) => check.name === name,
    );
    expect(checks).toEqual([
      {
        name,
        verdict: 'bad',
        found: 'it listens with plain TCP',
        remedy: expect.stringContaining('mptcpize') as string,
      },
      {
        name,
        verdict: 'bad',
        found: expect.stringContaining('data-channel offload is on') as string,
        remedy: expect.stringContaining('disable-dco') as string,
      },
    ]);
  });
});

it('names ten plain TCP peers, and the number of the others', () => {
  const peers = Array.from({ length: MAX_PEERS + 2 }, (_, n) => `192.0.2.${n}`);
  expect(peersText(peers)).toMatch(/^192\.0\.2\.0, .*, 192\.0\.2\.9 and 2 more$/);
  expect(peersText(peers.slice(2))).toMatch(/192\.0\.2\.11$/);
});
