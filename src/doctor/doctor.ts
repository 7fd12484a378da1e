import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import type { DaemonStatus } from '../console/status.js';
import { ConsoleUnreachable, talk } from '../console/talk.js';
import { Servers } from '../openvpn/servers.js';
import { bad, note, ok, type Check } from './check.js';
import { checkHost } from './host.js';
import { checkServer, checkSessions } from './servers.js';

/** How long to wait for management interfaces when no daemon runs that has them already, in milliseconds. */
const LISTEN_MS = 3_000;

/** Looks at everything that must be true on this host. Changes nothing. */
export async function examine(configFile: string): Promise<Check[]> {
  const host = await checkHost();
  let config: Config;
  try {
    config = await loadConfig(configFile);
  } catch (error) {
    return [...host, bad('config', (error as Error).message, `mend ${configFile}, then: subflowd check`)];
  }
  return [...host, ok('config', `${configFile} has no mistake`), ...(await checkServers(config))];
}

async function checkServers(config: Config): Promise<Check[]> {
  // A management interface serves one client at a time: a running daemon has it, and tells what it knows.
  try {
    const [json] = await talk(config.console.socket, 'mptcp status json');
    const status = JSON.parse(json ?? '') as DaemonStatus;
    return [
      ok('daemon', 'subflowd run is up'),
      ...status.servers.flatMap(checkServer),
      ...checkSessions(status),
    ];
  } catch (error) {
    if (!(error instanceof ConsoleUnreachable)) throw error;
  }
  const servers = new Servers(config.servers);
  const problems: string[] = [];
  servers.on('problem', (problem) => problems.push(problem));
  servers.start();
  await new Promise((resolve) => setTimeout(resolve, LISTEN_MS));
  servers.stop();
  return [
    note('daemon', 'subflowd run is not up', 'subflowd run'),
    ...servers.servers().flatMap((server) => checkServer(server.status())),
    ...problems.map((problem) => note('openvpn', problem)),
  ];
}
