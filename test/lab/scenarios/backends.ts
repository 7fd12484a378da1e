// Both backends observe the same connections, in one process on one guest, also after the other one has set a priority.
import type { Backend } from '../../../src/backend/backend.js';
import type { Connection } from '../../../src/model/connection.js';
import type { Priority } from '../../../src/model/subflow.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { NetlinkBackend } from '../../../src/backend/netlink.js';
import { formatEndpoint } from '../../../src/model/endpoint.js';
import { figure6Paths } from '../network.js';
import { buildStage } from '../stage.js';
import { until } from '../../support/until.js';
import { PATIENCE_MS, reconnects, say, scenario } from './scenario.js';
import { setPriority } from '../../support/set-priority.js';

const CLIENTS = 3;

await scenario(async (cleanup, out) => {
  const stage = await buildStage(cleanup, {
    paths: figure6Paths,
    clients: CLIENTS,
    backend: 'netlink',
    // the server listens on [::], so the kernel has the clients' IPv4 addresses as v4-mapped ones
    server: { family: 6 },
    logs: out,
  });
  const { pid } = stage.server;
  const netlink = await NetlinkBackend.open();
  cleanup.add(() => netlink.close());
  const devmem = await DevmemBackend.open('btf');
  cleanup.add(() => devmem.close());

  // one client asks for backup on its second path, and one has only one path
  const [asksForBackup, hasOnePath] = stage.network.clients;
  await asksForBackup?.namespace.ip([
    `mptcp endpoint change ${asksForBackup.addresses.lte?.v4 ?? ''} backup`,
  ]);
  await hasOnePath?.namespace.ip(['mptcp endpoint flush']);
  const tunnels = [];
  for (let index = 0; index < CLIENTS; index++) tunnels.push(await stage.connect(index, `client${index}`));
  const observations: Record<string, { devmem: unknown; netlink: unknown }> = {};
  const counters: { before: Counts; devmem: Counts; after: Counts }[] = [];
  const observe = async (name: string) => {
    observations[name] = { devmem: await observed(devmem, pid), netlink: await observed(netlink, pid) };
    counters.push({
      before: await counts(netlink, pid),
      devmem: await counts(devmem, pid),
      after: await counts(netlink, pid),
    });
    say(name);
  };

  await until(
    'every subflow exists',
    async () => {
      const { connections } = await netlink.connections(pid);
      return connections.flatMap(({ subflows }) => subflows).length === 2 * CLIENTS - 1;
    },
    PATIENCE_MS,
  );
  await observe('connected');
  await setAll(netlink, pid, 'wifi', 'backup');
  await observe('set by netlink');
  await devmem.connections(pid);
  await setAll(devmem, pid, 'wifi', 'active');
  await observe('set by devmem');
  return { observations, counters, reconnects: await reconnects(tunnels) };
});

async function setAll(backend: Backend, pid: number, path: string, priority: Priority): Promise<void> {
  const prefix = path === 'wifi' ? '192.168.100.' : '192.168.200.';
  for (const { remote: connection, subflows } of (await backend.connections(pid)).connections) {
    for (const { local, remote } of subflows) {
      if (!remote.address.startsWith(prefix)) continue;
      const result = await setPriority(backend, { pid, connection, local, remote }, priority);
      if (result.outcome !== 'committed')
        throw new Error(`${backend.name}: ${result.outcome}, ${result.reason ?? ''}`);
    }
  }
}

/** The counters of each subflow that only increase, by its remote endpoint. */
type Counts = Readonly<Record<string, readonly (number | undefined)[]>>;

async function counts(backend: Backend, pid: number): Promise<Counts> {
  const { connections } = await backend.connections(pid);
  const subflows = connections.flatMap(({ subflows }) => subflows);
  return Object.fromEntries(
    subflows.map(({ remote, bytesAcked, bytesReceived, retransmitted }) => [
      formatEndpoint(remote),
      [bytesAcked, bytesReceived, retransmitted],
    ]),
  );
}

/** What an observation has in both backends, sorted, because each backend has its own order. */
async function observed(backend: Backend, pid: number): Promise<unknown> {
  const { connections, plain, problems } = await backend.connections(pid);
  return {
    connections: connections.map(common).sort((a, b) => a.token - b.token),
    plain,
    problems,
  };
}

function common({ pid, remote, local, token, subflows }: Connection) {
  const sorted = subflows
    .map(({ local, remote, ours, peers, id }) => ({ local, remote, ours, peers, id }))
    .sort((a, b) => a.remote.address.localeCompare(b.remote.address));
  return { pid, remote, local, token, subflows: sorted };
}
