import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../../../src/util/lines.js';
import { MAX_UNREADABLE, parseRealAddress, parseStatus } from '../../../../src/openvpn/management/status.js';

const HEADER =
  'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\t' +
  'Connected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher';

function row(commonName: string, real: string, virtual = '10.8.0.2', virtual6 = '', cid = '3'): string {
  return [
    'CLIENT_LIST',
    commonName,
    real,
    virtual,
    virtual6,
    1,
    2,
    'x',
    1700000000,
    'UNDEF',
    cid,
    0,
    'AES-256-GCM',
  ].join('\t');
}

describe('parseStatus', () => {
  it('reads the clients', () => {
    const reply = parseStatus([
      'TITLE\tOpenVPN 2.6.14',
      'TIME\t2026-01-01 00:00:00\t1700000100',
      HEADER,
      row('alice.example', '192.0.2.7:50000', '10.8.0.2', 'fd00::2'),
      row(`Zoë "q" 'r', s`, '2001:db8::1'),
      row('UNDEF', '192.0.2.8:50000', ''),
      'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)',
      'ROUTING_TABLE\t10.8.0.2\talice.example\t192.0.2.7:50000\tx\t1700000000',
      'GLOBAL_STATS\tMax bcast/mcast queue length\t0',
      'GLOBAL_STATS\tdco_enabled\t0',
    ]);
    expect(reply).toEqual({
      clients: [
        {
          commonName: 'alice.example',
          address: '192.0.2.7',
          port: 50000,
          virtual: ['10.8.0.2', 'fd00::2'],
          cid: 3,
          since: 1700000000,
        },
        {
          commonName: `Zoë "q" 'r', s`,
          address: '2001:db8::1',
          virtual: ['10.8.0.2'],
          cid: 3,
          since: 1700000000,
        },
      ],
      unnamed: [
        { commonName: 'UNDEF', address: '192.0.2.8', port: 50000, virtual: [], cid: 3, since: 1700000000 },
      ],
      usesDco: false,
      problems: [],
    });
  });

  it('finds the columns by their names', () => {
    const reply = parseStatus([
      'HEADER\tCLIENT_LIST\tClient ID\tNew Column\tReal Address\tCommon Name',
      'CLIENT_LIST\t7\tx\t192.0.2.7:1\talice',
    ]);
    expect(reply.clients).toEqual([
      { commonName: 'alice', address: '192.0.2.7', port: 1, virtual: [], cid: 7 },
    ]);
  });

  it('reports data-channel offload', () => {
    expect(parseStatus(['GLOBAL_STATS\tdco_enabled\t1']).usesDco).toBe(true);
  });

  it('reports the rows that it cannot read, and reads the others', () => {
    const reply = parseStatus([
      row('before the header', '192.0.2.7:1'),
      HEADER,
      'CLIENT_LIST',
      row('bob', 'nowhere'),
      row('alice', '192.0.2.7:50000'),
    ]);
    expect(reply.clients.map(({ commonName }) => commonName)).toEqual(['alice']);
    expect(reply.problems).toHaveLength(3);
    expect(reply.problems[2]).toContain('nowhere');
  });
});

it('reports only the first 16 rows that it cannot read', () => {
  const bad = Array.from({ length: 100 }, (_, n) => row('x', `nowhere ${n}`));
  const { problems, clients } = parseStatus([HEADER, ...bad, row('alice', '192.0.2.7:50000')]);
  expect(problems).toHaveLength(MAX_UNREADABLE);
  expect(problems.at(-1)).toContain('nowhere 15');
  expect(clients).toHaveLength(1);
});

describe('a client that OpenVPN let in', () => {
  const ROUTES =
    'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)';
  const unproven = (lines: readonly string[]) =>
    parseStatus(lines)
      .clients.filter((one) => one.isUnproven)
      .map(({ commonName }) => commonName);

  it('has an address inside the tunnel if others have one', () => {
    const rows = [row('alice', '192.0.2.7:1'), row('refused', '192.0.2.7:2', '')];
    expect(unproven(['TIME\tx\t1700009999', HEADER, ...rows])).toEqual(['refused']);
  });

  it('has a route, or stays connected, if no client has an address', () => {
    const rows = [row('alice', '192.0.2.7:1', ''), row('new', '192.0.2.7:2', '')];
    const route = 'ROUTING_TABLE\t00:11:22:33:44:55@0\talice\t192.0.2.7:1\tx\t1700000000';
    expect(unproven(['TIME\tx\t1700000010', HEADER, ...rows, ROUTES, route])).toEqual(['new']);
    expect(unproven(['TIME\tx\t1700000100', HEADER, ...rows])).toEqual([]);
  });
});

describe('parseRealAddress', () => {
  it.each([
    ['192.0.2.7:1194', { address: '192.0.2.7', port: 1194 }],
    ['tcp4-server:192.0.2.7:1194', { address: '192.0.2.7', port: 1194, protocol: 'tcp' }],
    ['udp4:192.0.2.7:1194', { address: '192.0.2.7', port: 1194, protocol: 'udp' }],
    ['udp6:[2001:db8::1]:1194', { address: '2001:db8::1', port: 1194, protocol: 'udp' }],
    ['tcp6-server:[2001:db8::1]:1194', { address: '2001:db8::1', port: 1194, protocol: 'tcp' }],
    ['tcp6-server:192.0.2.7:1194', { address: '192.0.2.7', port: 1194, protocol: 'tcp' }],
    ['[2001:db8::1]:1194', { address: '2001:db8::1', port: 1194 }],
    ['2001:DB8::1', { address: '2001:db8::1' }],
    ['[::ffff:192.0.2.7]:5', { address: '192.0.2.7', port: 5 }],
    ['192.0.2.7:0', undefined],
    ['192.0.2.7:70000', undefined],
    ['', undefined],
    ['UNKNOWN', undefined],
  ])('reads %j', (text, real) => {
    expect(parseRealAddress(text)).toEqual(real);
  });
});

describe('a stored row', () => {
  it('does not keep its whole answer in memory', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const answer = (n: number) => {
      const rows = Array.from({ length: 200 }, (_, of) =>
        row(`client-${of}-of-${n}.example.com`, '198.51.100.123:1194'),
      );
      return new LineSplitter(100_000).push(Buffer.from(`${[HEADER, ...rows, 'END'].join('\r\n')}\r\n`));
    };
    collect();
    const before = process.memoryUsage().heapUsed;
    const kept = Array.from({ length: 60 }, (_, n) => parseStatus(answer(n)).clients[7]);
    collect();
    const bytes = (process.memoryUsage().heapUsed - before) / kept.length;
    expect(kept.at(-1)?.commonName).toBe('client-7-of-59.example.com');
    expect(bytes).toBeLessThan(15_000);
  });
});
