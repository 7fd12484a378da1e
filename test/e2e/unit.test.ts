import { describe, expect, test } from 'vitest';
import type { DaemonStatus } from '../../src/api/status.js';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { runScenario } from '../lab/scenarios/run.js';
import type { Sandboxed } from '../lab/scenarios/systemd-unit.js';

interface HookRecord {
  readonly file: string;
  readonly uid: number;
  readonly fields: readonly string[];
}

interface Unit {
  readonly atFirst: {
    readonly status: DaemonStatus;
    readonly records: readonly HookRecord[];
    readonly directories: Readonly<Record<string, { readonly uid: number; readonly mode: number }>>;
    readonly server: Sandboxed & Readonly<Record<string, unknown>>;
    readonly sidecar: Sandboxed;
    readonly helper: Sandboxed;
    readonly doctor: readonly Check[];
  };
  /** The result of each forbidden action with the rights of each unit: `done`, or the error. */
  readonly attempts: Readonly<Record<'sidecar' | 'helper', Readonly<Record<string, string>>>>;
  readonly users: Readonly<Record<'sidecar' | 'helper', number>>;
  readonly whenStopped: readonly HookRecord[];
  readonly whileDown: readonly HookRecord[];
  readonly afterStart: DaemonStatus;
  readonly afterKill: DaemonStatus;
  readonly afterHelperKill: DaemonStatus;
  /** How often systemd started each again by itself, after its kill. */
  readonly restarts: Readonly<Record<'sidecar' | 'helper', string>>;
  readonly afterRestart: DaemonStatus;
  readonly afterRestartRecords: readonly HookRecord[];
  readonly byOlderUnit: {
    readonly status: DaemonStatus;
    readonly server: Sandboxed & Readonly<Record<string, unknown>>;
    readonly pid: number;
  };
  readonly afterEdit: DaemonStatus;
  readonly afterOverride: DaemonStatus;
  readonly fromOutside: DaemonStatus;
  readonly byDevmem: {
    readonly status: DaemonStatus;
    readonly sidecar: Sandboxed;
    readonly helper: Sandboxed;
  };
  readonly pids: { readonly serverBefore: number; readonly serverAfter: number };
  readonly units: Readonly<
    Record<'server' | 'sidecar' | 'helper', { ActiveState: string; NRestarts: string }>
  >;
  readonly journals: Readonly<Record<'server' | 'problems', readonly string[]>>;
}

/** Debian's user nobody. */
const nobody = 65534;
const ALICE = 'alice.example.com';
const VAN = 'one.vans.example.com';

/** The only session: its client, its rule, and the priority that this host asks for on each path. */
function only({ sessions }: DaemonStatus) {
  const [plan] = sessions;
  return {
    client: plan?.session.commonName,
    rule: plan?.rule.section,
    ours: Object.fromEntries(
      (plan?.subflows ?? []).map(({ path, subflow }) => [path ?? 'none', subflow.ours]),
    ),
  };
}

function commonNames(records: readonly HookRecord[]) {
  return records.map(({ fields }) => fields.find((field) => field.startsWith('common_name=')));
}

describe('installed as openvpn-conf says, under systemd', () => {
  needs('guest', 'openvpn');

  test('hooks write records in the sandbox of Debian’s unit, and clients follow their rules after every restart', async () => {
    const { result } = await runScenario<Unit>('unit', { append: 'nopat', init: 'systemd' });
    const { atFirst, pids, journals } = result;

    // Debian's unit is unchanged and has its sandbox, and OpenVPN no longer runs as root.
    expect(atFirst.server).toMatchObject({
      exe: '/usr/sbin/openvpn',
      hasOwnMounts: true,
      FragmentPath: '/lib/systemd/system/openvpn-server@.service',
      PrivateTmp: 'yes',
      ProtectSystem: 'yes',
      ProtectHome: 'yes',
      LimitNPROC: '10',
    });
    expect(atFirst.server.DropInPaths).toContain('/etc/systemd/system/openvpn-server@.service.d/mptcp.conf');
    expect(atFirst.server.status.Uid).toMatch(new RegExp(`^${nobody}\t${nobody}\t`));

    // A hook wrote a record there as nobody, and no hook printed an error.
    expect(atFirst.records).toHaveLength(1);
    const [record] = atFirst.records;
    expect(record?.uid).toBe(nobody);
    expect(record?.file).toMatch(
      new RegExp(
        `^/run/subflowd/events/nobody/${pids.serverBefore}-192\\.168\\.100\\.2-\\d+-\\d+-10\\.8\\.0\\.\\d+$`,
      ),
    );
    expect(commonNames(atFirst.records)).toEqual([`common_name=${ALICE}`]);
    expect(journals.server.join('\n')).toContain(`CN=${VAN}`);
    expect(journals.server.filter((line) => /client-(dis)?connect|script failed/i.test(line))).toEqual([]);
    // subflowd gave itself access to the directories when it started.
    expect(atFirst.directories).toEqual({
      root: { uid: 0, mode: 0o2770 },
      nobody: { uid: nobody, mode: 0o2770 },
    });

    // subflowd and its helper work, each inside its own sandbox.
    // The helper has NET_ADMIN and SYS_PTRACE.
    for (const [name, rights] of [
      ['sidecar', '0000000000000000'],
      ['helper', '0000000000081000'],
    ] as const) {
      const process = atFirst[name];
      expect(process.hasOwnMounts).toBe(true);
      expect(process.files).not.toContain('/dev/mem');
      expect(process.status).toMatchObject({ NoNewPrivs: '1', Seccomp: '2' });
      const user = result.users[name];
      expect(user).toBeGreaterThan(0);
      expect(process.status.Uid).toBe([user, user, user, user].join('\t'));
      expect(process.status).toMatchObject({ CapEff: rights, CapPrm: rights, CapBnd: rights });
      const succeeded = Object.entries(result.attempts[name]).filter(([, outcome]) => outcome === 'done');
      expect(succeeded).toEqual([]);
      expect(Object.keys(result.attempts[name]).length).toBeGreaterThan(20);
    }
    expect(atFirst.status.backend).toMatchObject({ name: 'netlink', tellsPeer: true });
    expect(atFirst.status.problems).toEqual([]);
    expect(atFirst.status.servers).toMatchObject([
      { name: 'server', management: 'connected', recorded: 1, pids: [pids.serverBefore] },
    ]);
    expect(atFirst.doctor.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
    expect(only(atFirst.status)).toEqual({
      client: ALICE,
      rule: `[client ${ALICE}]`,
      ours: { lte: 'active', wifi: 'backup' },
    });

    // stopped: records stay, one client leaves and another comes; started: all that is known
    expect(result.whenStopped).toEqual(atFirst.records);
    expect(commonNames(result.whileDown)).toEqual([`common_name=${VAN}`]);
    const van = { client: VAN, rule: '[client *.vans.example.com]', ours: { lte: 'active', wifi: 'backup' } };
    for (const status of [result.afterStart, result.afterKill, result.afterHelperKill])
      expect(only(status)).toEqual(van);
    expect(result.restarts).toEqual({ sidecar: '1', helper: '1' });

    // the server restarted: its client is found again, with both its paths, and what the old process left is gone
    expect(pids.serverAfter).not.toBe(pids.serverBefore);
    expect(only(result.afterRestart)).toEqual(van);
    expect(result.afterRestart.servers).toMatchObject([
      { management: 'connected', pids: [pids.serverAfter] },
    ]);
    expect(result.afterRestartRecords.map(({ file }) => file.split('/').at(-1)?.split('-')[0])).toEqual([
      `${pids.serverAfter}`,
    ]);

    // and under openvpn@, the unit before openvpn-server@
    expect(result.byOlderUnit.server).toMatchObject({
      exe: '/usr/sbin/openvpn',
      hasOwnMounts: true,
      FragmentPath: '/lib/systemd/system/openvpn@.service',
    });
    expect(result.byOlderUnit.server.DropInPaths).toContain(
      '/etc/systemd/system/openvpn@.service.d/mptcp.conf',
    );
    expect(only(result.byOlderUnit.status)).toEqual(van);

    // the config is followed and the state directory written from inside the sandbox
    expect(only(result.afterEdit).ours).toEqual({ lte: 'backup', wifi: 'active' });
    expect(only(result.afterOverride)).toEqual({
      client: VAN,
      rule: 'override',
      ours: { lte: 'active', wifi: 'backup' },
    });

    // With the drop-ins it works from another network namespace, and through memory.
    expect(result.fromOutside.backend.name).toBe('netlink');
    expect(only(result.fromOutside).ours).toEqual({ lte: 'backup', wifi: 'active' });
    expect(result.byDevmem.status.backend).toMatchObject({ name: 'devmem', tellsPeer: true });
    expect(result.byDevmem.helper.files).toContain('/dev/mem');
    expect(result.byDevmem.sidecar.files).not.toContain('/dev/mem');
    expect(only(result.byDevmem.status).ours).toEqual({ lte: 'active', wifi: 'backup' });

    expect(result.units).toEqual({
      server: { ActiveState: 'active', NRestarts: '0' },
      sidecar: { ActiveState: 'active', NRestarts: '0' },
      helper: { ActiveState: 'active', NRestarts: '0' },
    });
    // The only problems in its log are about the server while that was restarted, and about the killed helper.
    // The kill of the helper is one, so the journal has the fields that these are found by.
    expect(journals.problems.length).toBeGreaterThan(0);
    expect(
      journals.problems.filter(
        (line) => !/the management interface|subflowd's helper is not connected/.test(line),
      ),
    ).toEqual([]);
  }, 1_200_000);
});
