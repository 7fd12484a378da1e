import { setTimeout as sleep } from 'node:timers/promises';
import type { Config, ConsoleConfig, ServerConfig } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { configWarnings } from '../config/warnings.js';
import { requireGroup } from '../console/common/group.js';
import type { DaemonStatus } from '../api/status.js';
import { inspectOverrides } from '../control/overrides-file.js';
import { ConsoleUnreachable } from '../console/terminal/connect.js';
import { ConsoleRefusal, talk } from '../console/terminal/talk.js';
import type { BackendName } from '../model/backend-name.js';
import { userNumber } from '../util/accounts.js';
import { Servers } from '../openvpn/servers.js';
import { bad, note, ok, type Check } from '../model/check.js';
import { checkAnnounced } from './announced.js';
import { checkHost } from './host.js';
import { checkServer } from './servers.js';
import { checkSessions } from './sessions.js';

/**
 * How long to wait for management interfaces if no daemon runs, milliseconds. One that does not answer counts as
 * unreachable after 5 s.
 */
const ANSWERS_MS = 6_000;
/** How long to wait, at least, for the hooks' records and for the clients of a management interface, milliseconds. */
const SETTLE_MS = 300;

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

function checkConsole({ group, overrides }: ConsoleConfig): Check[] {
  return [
    ...checkGroup(group),
    ...inspectOverrides(overrides).map(({ problem, remedy }) => bad('overrides', problem, remedy)),
  ];
}

function checkGroup(group: string | undefined): Check[] {
  if (group === undefined) return [];
  try {
    requireGroup(group);
    return [];
  } catch {
    return [
      bad(
        'console',
        `[console] names the group ${group}, which does not exist`,
        `groupadd --system ${group}`,
      ),
    ];
  }
}

function checkManagementUser({ name, managementUser: user }: ServerConfig): Check[] {
  if (user === undefined || userNumber(user) !== undefined) return [];
  const found = `management-user names the user ${user}, who does not exist`;
  return [
    bad(`server ${name}`, found, `set management-user in [openvpn ${name}] to the user that OpenVPN runs as`),
  ];
}

async function checkServers(config: Config, backend: BackendName): Promise<Check[]> {
  // A management interface serves one client at a time. If the daemon runs, it has that connection, so ask the daemon.
  let status: DaemonStatus;
  try {
    const [json] = await talk(config.console.socket, 'mptcp status json');
    status = JSON.parse(json ?? '') as DaemonStatus;
  } catch (error) {
    if (error instanceof ConsoleUnreachable && error.isAbsent) return observeServers(config, backend);
    const isKnown = error instanceof ConsoleUnreachable || error instanceof ConsoleRefusal;
    const found = isKnown ? error.message : `its answer cannot be read: ${(error as Error).message}`;
    const known = error instanceof ConsoleUnreachable ? error.remedy : undefined;
    const remedy = known ?? 'as root: systemctl restart subflowd, then sudo subflowd doctor';
    return [bad('daemon', found, remedy)];
  }
  const servers = await Promise.all(status.servers.map((server) => checkServer(server, status.backend.name)));
  return [
    ok('daemon', 'subflowd runs'),
    ...servers.flat(),
    ...(await checkAnnounced(config.servers, status.servers)),
    ...checkSessions(status),
  ];
}

/** Checks all servers without a daemon: reads the hooks' records and asks the management interfaces itself. */
async function observeServers(config: Config, backend: BackendName): Promise<Check[]> {
  const servers = new Servers(config.servers);
  const problems = new Set<string>();
  servers.on('problem', (problem) => problems.add(problem));
  servers.start();
  const statuses = () => servers.servers().map((server) => server.status());
  const deadline = performance.now() + ANSWERS_MS;
  await sleep(SETTLE_MS);
  while (performance.now() < deadline) {
    const isAnyUndecided = statuses().some(
      ({ management, managementTrouble }) => management === 'unreachable' && managementTrouble === undefined,
    );
    if (!isAnyUndecided) break;
    await sleep(SETTLE_MS);
  }
  // Before stop(): afterwards every server counts as unreachable.
  const found = statuses();
  servers.stop();
  // checkServer reports these
  for (const { managementTrouble } of found) problems.delete(managementTrouble ?? '');
  return [
    note('daemon', 'subflowd does not run', 'systemctl start subflowd'),
    ...(await Promise.all(found.map((server) => checkServer(server, backend)))).flat(),
    ...(await checkAnnounced(config.servers, found)),
    ...[...problems].map((problem) => note('openvpn', problem)),
  ];
}
