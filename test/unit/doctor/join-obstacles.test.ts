import { describe, expect, it } from 'vitest';
import { judgeListeners, judgeSettings } from '../../../src/doctor/join-obstacles.js';

const SERVER = { name: 'server lab, process 7', pid: 7 };
const OTHER = { name: 'server other, process 8', pid: 8 };

describe('the settings of the kernel in the namespace of a server', () => {
  const judge = (...settings: readonly (readonly [string, string])[]) =>
    judgeSettings(SERVER, new Map(settings));

  it('are not mentioned if they are right, or if the kernel does not have them', () => {
    expect(judge(['allow_join_initial_addr_port', '1'], ['stale_loss_cnt', '4']).checks).toEqual([]);
    expect(judge().checks).toEqual([]);
  });

  it('are bad if they keep clients from joining', () => {
    const { checks, byPid } = judge(['allow_join_initial_addr_port', '0']);
    expect(checks).toEqual([
      {
        name: SERVER.name,
        verdict: 'bad',
        found: expect.stringMatching(
          /^net\.mptcp\.allow_join_initial_addr_port = 0 .*forbids clients to join/,
        ) as string,
        remedy: expect.stringContaining(
          'nsenter --target 7 --net sysctl -w net.mptcp.allow_join_initial_addr_port=1',
        ) as string,
      },
    ]);
    expect([...byPid]).toEqual([[7, SERVER.name]]);
  });

  it('have a line for blackhole_timeout, which says what it means for clients', () => {
    const { checks, byPid } = judge(['blackhole_timeout', '3600']);
    expect(checks).toMatchObject([{ name: SERVER.name, verdict: 'ok' }]);
    expect(checks[0]?.found).toMatch(
      /^net\.mptcp\.blackhole_timeout = 3600 .*Each client has its own: .* connects with plain TCP/,
    );
    expect(byPid.size).toBe(0);
  });

  it('are a note if they only make failover worse', () => {
    const { checks, byPid } = judge(['stale_loss_cnt', '0']);
    expect(checks).toMatchObject([
      { verdict: 'note', remedy: expect.stringContaining('stale_loss_cnt=1') as string },
    ]);
    expect(byPid.size).toBe(0);
  });
});

describe('a listener to the path manager', () => {
  const judge = (program: string, namespace: number, ours: readonly number[] = []) =>
    judgeListeners(
      [{ pid: 99, program, namespace, sockets: [501] }],
      [SERVER, OTHER],
      new Set(ours),
      (pid) => {
        if (pid === 8) throw new Error('gone');
        return 1_000;
      },
    );

  it('are not mentioned if they only keep a socket of subflowd, as systemd does', () => {
    const namespace = 1_000;
    const kept = { pid: 1, program: '/usr/lib/systemd/systemd', namespace, sockets: [501] };
    const helper = { pid: 50, program: '/usr/bin/node', namespace, sockets: [501, 502] };
    const judgeAll = (ours: readonly number[]) =>
      judgeListeners([kept, helper], [SERVER], new Set(ours), () => namespace).checks;
    expect(judgeAll([50])).toEqual([]);
    expect(judgeAll([]).map(({ name }) => name)).toEqual([
      'path manager, process 1',
      'path manager, process 50',
    ]);
  });

  it('in the namespace of a server may be another path manager', () => {
    const { checks, byPid } = judge('/usr/sbin/mptcpd', 1_000);
    expect(checks).toMatchObject([{ name: 'path manager, process 99', verdict: 'note' }]);
    expect(checks[0]?.found).toMatch(
      /^process 99 \(\/usr\/sbin\/mptcpd\) listens .* in the network namespace of server lab, process 7: /,
    );
    expect(checks[0]?.remedy).toContain('systemctl disable --now mptcp');
    expect([...byPid]).toEqual([[7, 'path manager, process 99']]);
  });

  it.each([
    ['in another namespace', '/usr/sbin/mptcpd', 2_000],
    ['that only prints events', '/usr/sbin/ip', 1_000],
    ['whose program cannot be read, elsewhere', '', 2_000],
  ])('%s makes the kernel accept joins on the whole host', (_, program, namespace) => {
    const { checks, byPid } = judge(program, namespace);
    expect(checks).toMatchObject([{ verdict: 'ok' }]);
    expect(checks[0]?.found).toContain('the kernel accepts further subflows on the whole host');
    expect(byPid.size).toBe(0);
  });

  it('that is subflowd is not mentioned', () => {
    expect(judge('/usr/bin/node', 1_000, [99]).checks).toEqual([]);
  });
});
