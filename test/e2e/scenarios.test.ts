import { describe, expect, test } from 'vitest';
import type { ServerSockets } from '../../src/model/connection.js';
import type { DaemonStatus } from '../../src/api/status.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { HARM, runScenario, runScenarioHere } from '../lab/scenarios/run.js';

const TIMEOUT = { timeout: 1_200_000 };

interface Toggles {
  readonly switches: number;
  readonly answers: readonly string[];
  readonly transfers: { readonly down: number; readonly up: number; readonly wrong: number };
  readonly reconnects: number;
  readonly mpPrioSent: number;
  readonly mpPrioReceived: number;
  readonly trouble: { readonly server: object; readonly client: object };
}

interface Crowd {
  readonly settled: DaemonStatus;
  readonly withTunnel: DaemonStatus;
  readonly afterKill: DaemonStatus;
  readonly afterStop: DaemonStatus;
  readonly end: DaemonStatus;
  readonly answers: { readonly bob: string[]; readonly lone: string[]; readonly nobody: string };
  readonly log: string;
  readonly reconnects: number;
}

interface Ipv6 {
  readonly runs: Readonly<Record<'hooks' | 'management' | 'nothing', DaemonStatus>>;
  readonly reconnects: number;
}

interface Backends {
  readonly observations: Readonly<
    Record<string, { readonly devmem: ServerSockets; readonly netlink: ServerSockets }>
  >;
  /** Counters that never decrease, by subflow: read by netlink, by devmem, and by netlink again. */
  readonly counters: readonly Readonly<Record<'before' | 'devmem' | 'after', Record<string, number[]>>>[];
  readonly reconnects: number;
}

interface Spread {
  readonly crowded: DaemonStatus;
  readonly dry: DaemonStatus;
  readonly dryExplained: readonly string[];
  readonly dryPrioTx: number;
  readonly drySwitches: number;
  readonly spread: DaemonStatus;
  readonly end: DaemonStatus;
  readonly pathsText: readonly string[];
  readonly explained: readonly string[];
  /** Switches of sessions that had just been switched. */
  readonly withinDwell: readonly unknown[];
  readonly reconnects: number;
}

type Moment = 'both' | 'alone' | 'whenFull' | 'roomAgain' | 'first' | 'joined' | 'left' | 'quicker';

interface Modes extends Readonly<Record<Moment, DaemonStatus>> {
  /** The path that the other client fills. */
  readonly filled: string;
  readonly reconnects: number;
}

/** The primary of each client, by common name. */
function primaries({ sessions }: DaemonStatus): Record<string, string | undefined> {
  return Object.fromEntries(sessions.map(({ session, primary }) => [session.commonName, primary]));
}

function judgeToggles(result: Toggles): void {
  expect(result.answers).toHaveLength(200);
  for (const [index, answer] of result.answers.entries()) {
    expect(answer).toContain(`obeyed, ${index % 2 === 0 ? 'lte' : 'wifi'} is primary`);
  }
  // The client connected on wifi, so its first rule moved no traffic.
  expect(result.switches).toBe(200);
  expect(result.transfers.wrong).toBe(0);
  expect(result.transfers.down).toBeGreaterThan(0);
  expect(result.transfers.up).toBeGreaterThan(0);
  expect(result.reconnects).toBe(0);
  expect(result.trouble).toEqual({ server: {}, client: {} });
  expect(result.mpPrioSent).toBeGreaterThan(0);
  // An MP_PRIO is sent with a pure ACK. If a queue drops that, it is not sent again.
  expect(result.mpPrioReceived).toBeLessThanOrEqual(result.mpPrioSent);
  expect(result.mpPrioReceived).toBeGreaterThan(0.95 * result.mpPrioSent);
}

function judgeCrowd(result: Crowd): void {
  const { settled, withTunnel, afterKill, afterStop, end, answers, log } = result;

  expect(primaries(settled)).toMatchObject({
    'client-7': 'lte',
    'client-8': 'wifi',
    'client-11': 'wifi',
    'Bob "The Builder"': 'lte',
    "O'Brien $(reboot)": 'lte',
    '山田 太郎': 'lte',
    tunnel: 'lte',
  });
  const of = (status: DaemonStatus, name: string) =>
    status.sessions.find(({ session }) => session.commonName === name);
  expect(of(settled, 'plain')?.state).toBe('plain');
  expect(of(settled, 'lone.example.com')).toMatchObject({ state: 'absent', missing: ['lte'] });
  for (const { state, primary, subflows } of settled.sessions) {
    if (state !== 'obeyed') continue;
    for (const { path, subflow } of subflows)
      expect(subflow.ours).toBe(path === primary ? 'active' : 'backup');
  }

  const through = of(withTunnel, 'tunnel')?.subflows.filter(({ throughTunnel }) => throughTunnel);
  expect(through).toHaveLength(1);
  expect(through?.[0]?.subflow.ours).toBe('backup');
  expect(through?.[0]).not.toHaveProperty('path');

  expect(of(afterKill, 'client-8')?.primary).toBe('lte');
  expect(answers.bob.join()).toContain('obeyed, wifi is primary');
  expect(answers.lone.join()).toContain('absent');
  expect(answers.nobody).toContain('no client "mallory"');
  expect(of(afterStop, 'Bob "The Builder"')?.rule.section).toBe('override');
  expect(of(end, 'Bob "The Builder"')?.primary).toBe('lte');

  expect(log).toMatch(/garbage.*is not a record of a session/);
  expect(log).toMatch(/process \d+ is .*node, not OpenVPN/);
  expect(log).toMatch(/of \\?"mallory\\?" at 192\.168\.100\.2:2: OpenVPN lab does not list this client/);
  expect(settled.sessions.map(({ session }) => session.commonName)).not.toContain('mallory');
  expect(result.reconnects).toBe(0);
}

describe('on this machine’s own kernel, through netlink', () => {
  needs(...networkNeeds);

  test('200 switches during transfers in both directions lose and damage nothing', async () => {
    const result = await runScenarioHere<Toggles>('toggles');
    judgeToggles(result);
    // One is sent for each subflow and switch. Before the first switch its path may be active already.
    expect(result.mpPrioSent).toBeGreaterThanOrEqual(399);
  });

  test('20 clients at once follow their rules, despite wrong records and killed daemons', async () => {
    const result = await runScenarioHere<Crowd>('crowd');
    expect(result.settled.backend.name).toBe('netlink');
    judgeCrowd(result);
  });

  test('balance spreads six downloads over two access points, after a dry run that changes nothing', async () => {
    const result = await runScenarioHere<Spread>('spread');
    const { crowded, dry, spread, end } = result;
    const carried = ({ paths }: DaemonStatus) => paths.map(({ carried }) => carried.down / 1e6);
    const ours = ({ sessions }: DaemonStatus) =>
      sessions.flatMap(({ subflows }) => subflows.map(({ path, subflow }) => [path, subflow.ours]));
    expect(crowded.paths).toMatchObject([
      { name: 'wifi', isCongested: true, isLearnt: true },
      { name: 'lte', isCongested: false },
    ]);
    const [, idle = Infinity] = carried(crowded);
    expect(idle).toBeLessThan(0.5);

    expect(dry.dryRun).toBe(true);
    expect(result.dryPrioTx).toBe(0);
    expect(result.drySwitches).toBe(0);
    expect(dry.sessions.filter(({ current }) => current === 'wifi')).toHaveLength(6);
    expect(ours(dry)).toEqual(ours(crowded));
    expect(dry.sessions.filter(({ reason }) => reason.endsWith('dry-run: nothing is set'))).toHaveLength(3);
    expect(result.dryExplained).toContainEqual(
      expect.stringMatching(/^moves: may move to lte: (yes|no); lte would be \d+ % full, the limit is \d+ %/),
    );

    expect(spread.dryRun).toBe(false);
    // In `spread` both paths were nearly full. At the end it is enough that neither is idle.
    for (const [index, load] of carried(end).entries()) expect(load, `path ${index}`).toBeGreaterThan(2);
    for (const { rate, state } of end.sessions) {
      expect(state).toBe('obeyed');
      expect(rate?.down).toBeGreaterThan(0);
    }
    expect(result.withinDwell).toEqual([]);
    expect(result.reconnects).toBe(0);
    expect(result.pathsText).toEqual([
      expect.stringMatching(
        /^path wifi: .*: primary of 3 sessions, 3 of 6 subflows active; carries .* of 8\/8 Mbit\/s, \d+ % full/,
      ),
      expect.stringMatching(
        /^path lte: .*: primary of 3 sessions, 3 of 6 subflows active; carries .* of 8\/8 Mbit\/s, \d+ % full/,
      ),
    ]);
    expect(result.explained).toContainEqual(
      expect.stringMatching(/^moves: may move to (lte|wifi): (yes|no); /),
    );
  });

  test('the other modes choose paths for one client by load and delay', async () => {
    const result = await runScenarioHere<Modes>('modes');
    const alice = ({ sessions }: DaemonStatus) => {
      const one = sessions.find(({ session }) => session.commonName === 'alice');
      const ours = one?.subflows.map(({ path = '', subflow }) => [path, subflow.ours] as const);
      return { reason: one?.reason, ...Object.fromEntries(ours ?? []) };
    };
    const { both, alone, whenFull, roomAgain, first, joined, left, filled, quicker } = result;
    const reason = (text: string) => expect.stringContaining(text) as string;
    expect(alice(both)).toEqual({ reason: reason('wifi, lte are active by load-balancing'), wifi: 'active', lte: 'active' });
    // `both = when-full`: two paths only while one has no room for the download
    for (const status of [alone, roomAgain])
      expect(status.sessions.map(({ subflows }) => subflows.filter(({ subflow }) => subflow.ours === 'active').length)).toEqual([1, 1]);
    expect(alice(whenFull)).toMatchObject({ wifi: 'active', lte: 'active' });
    expect(whenFull.paths.some(({ isCongested }) => isCongested)).toBe(true);
    expect(alice(first)).toEqual({ reason: reason('wifi is primary by priority-based'), wifi: 'active', lte: 'backup' });
    expect(alice(joined)).toEqual({ reason: reason('wifi, lte are active by priority-based'), wifi: 'active', lte: 'active' });
    expect(joined.paths[0]).toMatchObject({ name: 'wifi', isCongested: true });
    expect(alice(left)).toEqual({ reason: reason('wifi is primary by priority-based'), wifi: 'active', lte: 'backup' });
    const free = filled === 'wifi' ? 'lte' : 'wifi';
    expect(alice(quicker)).toEqual({ reason: reason(`${free} is primary by smallest-delay`), [free]: 'active', [filled]: 'backup' });
    expect(primaries(quicker)).toEqual({ alice: free, other: filled });
    expect(result.reconnects).toBe(0);
  }); // prettier-ignore
});

describe('on a guest kernel', () => {
  needs('guest', 'openvpn');

  test('200 switches during transfers in both directions lose and damage nothing', TIMEOUT, async () => {
    const { result, consoleLog } = await runScenario<Toggles>('toggles', { append: 'nopat slub_debug=FZP' });
    expect(consoleLog).toContain('slub_debug=FZP');
    expect(consoleLog).not.toMatch(HARM);
    judgeToggles(result);
  });

  test(
    '20 clients at once follow their rules, despite wrong records and killed daemons',
    TIMEOUT,
    async () => {
      const { result, consoleLog } = await runScenario<Crowd>('crowd', { version: '6.12', append: 'nopat' });
      expect(consoleLog).not.toMatch(HARM);
      judgeCrowd(result);
    },
  );

  test(
    'over IPv6 clients follow their rules with byte-wise writing, without hooks and without management',
    TIMEOUT,
    async () => {
      const { result, consoleLog } = await runScenario<Ipv6>('ipv6');
      expect(consoleLog).not.toMatch(HARM);
      for (const [missing, primary] of [
        ['hooks', 'lte'],
        ['management', 'wifi'],
        ['nothing', 'lte'],
      ] as const) {
        const { backend, sessions, servers } = result.runs[missing];
        expect(backend.description).toContain('byte-wise');
        expect(sessions).toHaveLength(1);
        expect(sessions[0]).toMatchObject({ state: 'obeyed', primary, session: { commonName: 'alice' } });
        expect(sessions[0]?.session.real.address).toBe('fd00:100::2');
        expect(servers[0]?.management).toBe(missing === 'management' ? 'absent' : 'connected');
        expect(servers[0]?.recorded).toBe(missing === 'hooks' ? 0 : 1);
      }
      expect(result.reconnects).toBe(0);
    },
  );

  test('both backends report the same values in every field of every connection', TIMEOUT, async () => {
    const { result, consoleLog } = await runScenario<Backends>('backends', { append: 'nopat' });
    expect(consoleLog).not.toMatch(HARM);
    expect(Object.keys(result.observations)).toEqual(['connected', 'set by netlink', 'set by devmem']);
    for (const [name, { devmem, netlink }] of Object.entries(result.observations)) {
      expect(devmem, name).toEqual(netlink);
      expect(netlink).toMatchObject({ plain: [], problems: [] });
      expect(netlink.connections.map(({ subflows }) => subflows.length).sort()).toEqual([1, 2, 2]);
      const priorities = netlink.connections.flatMap(({ subflows }) =>
        subflows.map(({ remote, ours, peers, id }) => [remote.address, ours, peers, id]),
      );
      const wifi = name === 'set by netlink' ? 'backup' : 'active';
      expect(priorities.sort()).toEqual([
        ['192.168.100.2', wifi, 'active', 0],
        ['192.168.100.3', wifi, 'active', 0],
        ['192.168.100.4', wifi, 'active', 0],
        ['192.168.200.2', 'active', 'backup', 1],
        ['192.168.200.4', 'active', 'active', 1],
      ]);
    }
    expect(result.counters).toHaveLength(3);
    for (const { before, devmem, after } of result.counters) {
      expect(Object.keys(devmem)).toHaveLength(5);
      for (const [subflow, counts] of Object.entries(devmem)) {
        expect(counts).toHaveLength(3);
        for (const [index, count] of counts.entries()) {
          expect(count, subflow).toBeGreaterThanOrEqual(before[subflow]?.[index] ?? Infinity);
          expect(count, subflow).toBeLessThanOrEqual(after[subflow]?.[index] ?? -1);
        }
      }
    }
    expect(result.reconnects).toBe(0);
  });
});
