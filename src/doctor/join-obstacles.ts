import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  eventGroup,
  findEventListeners,
  namespaceOf,
  type EventListener,
} from '../backend/netlink/event-listeners.js';
import { readMptcpSettings } from '../backend/netlink/mptcp-settings.js';
import type { MptcpSettings } from '../backend/netlink/path-manager-setting.js';
import { note, ok, type Check } from '../model/check.js';
import { systemdUnitOf } from '../util/systemd-unit.js';

/** What on this host keeps clients from having several subflows. */
export interface JoinObstacles {
  readonly checks: readonly Check[];
  /** By PID of a server: the name of the check that says why its clients may have only one subflow. */
  readonly byPid: ReadonlyMap<number, string>;
}

/** A process of a server, and the name of its checks. */
export interface ServerProcessName {
  readonly name: string;
  readonly pid: number;
}

/** One setting of the kernel that can be wrong for a server; `net.mptcp.NAME`, in its network namespace. */
interface SettingRule {
  readonly setting: string;
  readonly isWrong: (value: string) => boolean;
  readonly verdict: 'bad' | 'note';
  readonly effect: string;
  readonly remedy: (sysctl: string) => string;
  /** Whether it can leave clients with one subflow. */
  readonly isObstacle: boolean;
}

/** Documentation/networking/mptcp-sysctl.rst of the kernel describes these settings. */
const SETTING_RULES: readonly SettingRule[] = [
  {
    setting: 'allow_join_initial_addr_port',
    isWrong: (value) => value === '0',
    verdict: 'bad',
    effect: 'the kernel forbids clients to join the address that they connected to, so they have one subflow',
    remedy: (sysctl) => `${sysctl}=1; clients get their other subflows when they reconnect`,
    isObstacle: true,
  },
  {
    setting: 'stale_loss_cnt',
    isWrong: (value) => value === '0',
    verdict: 'note',
    effect: 'the kernel never stops using a path that has become silent',
    remedy: (sysctl) => `${sysctl}=1`,
    isObstacle: false,
  },
];

/**
 * Says what net.mptcp.blackhole_timeout is here, and what it means for clients. It applies to connections that a kernel opens
 * (net/mptcp/ctrl.c, mptcp_active_disable), so the value of this host is right whatever it is.
 */
function blackholeCheck(name: string, settings: MptcpSettings): Check[] {
  const value = settings.get(BLACKHOLE);
  if (value === undefined) return [];
  return [
    ok(
      name,
      `net.mptcp.${BLACKHOLE} = ${value} in its network namespace: this host accepts MPTCP, so it does not matter here. Each ` +
        'client has its own: after a network dropped its MPTCP, it connects with plain TCP for that many seconds (3600 by ' +
        'default, 0: never), and is not steered until it reconnects after that',
    ),
  ];
}

const BLACKHOLE = 'blackhole_timeout';

/** The unit of subflowd's helper: openvpn-conf/subflowd-helper.service. */
const HELPER_UNIT = 'subflowd-helper.service';
/** Programs that only print events. */
const ONLY_LISTEN: ReadonlySet<string> = new Set(['ip']);

/**
 * Checks the network namespaces of servers, and who else on this host listens to MPTCP's path manager.
 * @param ours processes that are subflowd itself.
 */
export async function findJoinObstacles(
  servers: readonly ServerProcessName[],
  ours: ReadonlySet<number>,
): Promise<JoinObstacles> {
  const settings = await Promise.all(servers.map(checkSettings));
  const listeners = checkListeners(servers, ours);
  return {
    checks: [...settings, listeners].flatMap(({ checks }) => checks),
    byPid: new Map([...settings, listeners].flatMap(({ byPid }) => [...byPid])),
  };
}

async function checkSettings({ name, pid }: ServerProcessName): Promise<JoinObstacles> {
  try {
    return judgeSettings({ name, pid }, await readMptcpSettings(pid));
  } catch {
    // The process is gone or cannot be read, which the check of the process reports.
    return { checks: [], byPid: new Map() };
  }
}

/** Judges the settings of the network namespace of a server. */
export function judgeSettings({ name, pid }: ServerProcessName, settings: MptcpSettings): JoinObstacles {
  const wrong = SETTING_RULES.filter(({ setting, isWrong }) => isWrong(settings.get(setting) ?? ''));
  const checks = wrong.map(({ setting, verdict, effect, remedy }) => {
    const full = `net.mptcp.${setting}`;
    const found = `${full} = ${settings.get(setting) ?? ''} in its network namespace: ${effect}`;
    return { name, verdict, found, remedy: remedy(`nsenter --target ${pid} --net sysctl -w ${full}`) };
  });
  return {
    checks: [...checks, ...blackholeCheck(name, settings)],
    byPid: new Map(wrong.some(({ isObstacle }) => isObstacle) ? [[pid, name]] : []),
  };
}

function checkListeners(servers: readonly ServerProcessName[], ours: ReadonlySet<number>): JoinObstacles {
  try {
    const listeners = findEventListeners(eventGroup());
    const helpers = listeners.map(({ pid }) => pid).filter(isHelper);
    return judgeListeners(listeners, servers, new Set([...ours, ...helpers]));
  } catch {
    // Without a path manager for userspace nobody can listen; the check of the host reports that.
    return { checks: [], byPid: new Map() };
  }
}

/** Whether a process runs in the unit of subflowd's helper. */
function isHelper(pid: number): boolean {
  try {
    return systemdUnitOf(readFileSync(`/proc/${pid}/cgroup`, 'latin1')) === HELPER_UNIT;
  } catch {
    return false;
  }
}

/**
 * Judges who listens to MPTCP's path manager. In the namespace of a server it can be another path manager, which closes subflows
 * or adds some. Anywhere on this host it makes the kernel accept further subflows for everybody: one bitmap says whether anybody
 * listens (net/mptcp/pm_userspace.c, mptcp_userspace_pm_active).
 * @param namespaceOfServer tests replace it.
 */
export function judgeListeners(
  listeners: readonly EventListener[],
  servers: readonly ServerProcessName[],
  ours: ReadonlySet<number>,
  namespaceOfServer: (pid: number) => number = namespaceOf,
): JoinObstacles {
  const byPid = new Map<number, string>();
  // systemd keeps a socket of the helper
  const shared = new Set(listeners.filter(({ pid }) => ours.has(pid)).flatMap(({ sockets }) => sockets));
  const checks = listeners
    .filter(({ pid, sockets }) => !ours.has(pid) && !sockets.every((socket) => shared.has(socket)))
    .map(({ pid, program, namespace }) => {
      const name = `path manager, process ${pid}`;
      const what = `process ${pid}${program === '' ? '' : ` (${program})`} listens to MPTCP's path manager`;
      const beside = servers.filter((server) => isIn(server.pid, namespace, namespaceOfServer));
      if (beside.length === 0 || ONLY_LISTEN.has(basename(program))) {
        return ok(
          name,
          `${what}: while it does, the kernel accepts further subflows on the whole host, also if subflowd does not run`,
        );
      }
      for (const server of beside) byPid.set(server.pid, name);
      return note(
        name,
        `${what} in the network namespace of ${beside.map((server) => server.name).join(' and ')}: if it is another path ` +
          'manager, it may close the subflows of clients or add some',
        'end it, or give OpenVPN a network namespace of its own (for mptcpd: systemctl disable --now mptcp)',
      );
    });
  return { checks, byPid };
}

function isIn(pid: number, namespace: number, namespaceOfServer: (pid: number) => number): boolean {
  try {
    return namespaceOfServer(pid) === namespace;
  } catch {
    return false;
  }
}
