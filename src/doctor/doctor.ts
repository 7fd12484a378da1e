import { setTimeout as sleep } from 'node:timers/promises';
import type { Config, ConsoleConfig, ServerConfig } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { configWarnings } from '../config/warnings.js';
import { daemonProcess } from '../console/common/daemon-process.js';
import { requireGroup } from '../console/common/group.js';
import type { DaemonStatus } from '../api/status.js';
import { inspectOverrides } from '../control/overrides-file.js';
import { inspectQuotas } from '../control/quota-file.js';
import { ConsoleRefusal, ConsoleUnreachable } from '../console/terminal/console-error.js';
import { talk } from '../console/terminal/talk.js';
import type { BackendName } from '../model/backend-name.js';
import { userNumber } from '../util/accounts.js';
import type { ServerStatus } from '../openvpn/server-status.js';
import { Servers } from '../openvpn/servers.js';
import { bad, note, ok, type Check } from '../model/check.js';
import { checkAnnounced } from './announced.js';
import { checkHost } from './host.js';
import { findJoinObstacles, type JoinObstacles } from './join-obstacles.js';
import { checkServer } from './servers.js';
import { checkSessions } from './sessions.js';

/**
 * The longest wait for the answers of management interfaces, if no daemon runs; milliseconds. It is longer than the 5 s after
 * which one that does not answer counts as unreachable.
 */
const MAX_WAIT_MS = 6_000;
/**
 * The pause before each look at the servers, milliseconds. The hooks' records and the clients of a management interface are
 * known a little later than its first answer.
 */
const PAUSE_MS = 300;

/**
 * Checks everything that must be true on this host, and changes nothing. If no daemon runs, it connects to the
 * management interfaces as the daemon would.
 */
export async function examine(configFile: string): Promise<Check[]> {
  let config: Config;
  try {
    config = await loadConfig(configFile);
  } catch (error) {
    const { checks } = await checkHost({ backend: 'auto', layout: 'btf' });
    return [
      ...checks,
      bad('config', (error as Error).message, `correct ${configFile}, then: subflowd check`),
    ];
  }
  const { checks, backend } = await checkHost(config.kernel);
  return [
    ...checks,
    ok('config', `${configFile} has no mistake`),
    ...configWarnings(config).map(({ section, key, message }) =>
      note('config', `${section}: ${key}: ${message}`),
    ),
    ...config.servers.flatMap(checkManagementUser),
    ...checkConsole(config.console),
    ...(await checkServers(config, backend)),
  ];
}

function checkManagementUser({ name, managementUser: user }: ServerConfig): Check[] {
  if (user === undefined || userNumber(user) !== undefined) return [];
  const found = `management-user names the user ${user}, who does not exist`;
  const remedy = `set management-user in [openvpn ${name}] to the user that OpenVPN runs as`;
  return [bad(`server ${name}`, found, remedy)];
}

function checkConsole({ group, overrides, quotas }: ConsoleConfig): Check[] {
  return [
    ...checkGroup(group),
    ...inspectOverrides(overrides).map(({ problem, remedy }) => bad('overrides', problem, remedy)),
    ...inspectQuotas(quotas).map(({ problem, remedy, isUnusable }) =>
      (isUnusable ? bad : note)('quotas', problem, remedy),
    ),
  ];
}

function checkGroup(group: string | undefined): Check[] {
  if (group === undefined) return [];
  try {
    requireGroup(group);
    return [];
  } catch {
    const found = `[console] names the group ${group}, which does not exist`;
    return [bad('console', found, `groupadd --system ${group}`)];
  }
}

/** Checks the daemon and all servers. */
async function checkServers(config: Config, backend: BackendName): Promise<Check[]> {
  // A management interface serves one client at a time. If the daemon runs, it has that connection, so ask the daemon.
  let status: DaemonStatus;
  try {
    const [json] = await talk(config.console.socket, 'mptcp status json');
    status = JSON.parse(json ?? '') as DaemonStatus;
  } catch (error) {
    const isAbsent = error instanceof ConsoleUnreachable && error.isAbsent;
    return isAbsent ? observeServers(config, backend) : [daemonFault(error)];
  }
  const servers = await Promise.all(status.servers.map((server) => checkServer(server, status.backend.name)));
  const obstacles = await joinObstacles(status.servers, await daemonProcess(config.console.socket));
  return [
    ok('daemon', 'subflowd runs'),
    ...servers.flat(),
    ...obstacles.checks,
    ...(await checkAnnounced(config.servers, status.servers)),
    ...checkSessions(status, obstacles.byPid),
  ];
}

/** @param daemon the PID of the daemon, if it runs. */
function joinObstacles(servers: readonly ServerStatus[], daemon?: number): Promise<JoinObstacles> {
  const processes = servers.flatMap(({ name, pids }) =>
    pids.map((pid) => ({ name: `server ${name}, process ${pid}`, pid })),
  );
  return findJoinObstacles(processes, new Set([process.pid, ...(daemon === undefined ? [] : [daemon])]));
}

function daemonFault(error: unknown): Check {
  const hasReason = error instanceof ConsoleUnreachable || error instanceof ConsoleRefusal;
  const found = hasReason ? error.message : `its answer cannot be read: ${(error as Error).message}`;
  const remedy = error instanceof ConsoleUnreachable ? error.remedy : undefined;
  return bad('daemon', found, remedy ?? 'as root: systemctl restart subflowd, then sudo subflowd doctor');
}

/** Checks all servers without a daemon: reads the hooks' records and asks the management interfaces itself. */
async function observeServers(config: Config, backend: BackendName): Promise<Check[]> {
  const servers = new Servers(config.servers);
  const problems = new Set<string>();
  servers.on('problem', (problem) => problems.add(problem));
  servers.start();
  const statuses = () => servers.servers().map((server) => server.status());
  const isWaiting = () =>
    statuses().some(
      ({ management, managementTrouble }) => management === 'unreachable' && managementTrouble === undefined,
    );
  const deadline = performance.now() + MAX_WAIT_MS;
  do await sleep(PAUSE_MS);
  while (performance.now() < deadline && isWaiting());
  // Before stop(): afterwards every server counts as unreachable.
  const found = statuses();
  servers.stop();
  // checkServer reports the trouble of each management interface, so it is not reported twice.
  for (const { managementTrouble } of found) problems.delete(managementTrouble ?? '');
  return [
    note('daemon', 'subflowd does not run', 'systemctl start subflowd'),
    ...(await Promise.all(found.map((server) => checkServer(server, backend)))).flat(),
    ...(await checkAnnounced(config.servers, found)),
    ...(await joinObstacles(found)).checks,
    ...[...problems].map((problem) => note('openvpn', problem)),
  ];
}
