// Runs both backends in one process of a guest. The result has what each observes of the same connections, also after the
// other one has set a priority.
import type { Backend } from '../../../src/backend/backend.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { NetlinkBackend } from '../../../src/backend/netlink.js';
import type { Connection } from '../../../src/model/connection.js';
import { formatEndpoint } from '../../../src/model/endpoint.js';
import type { Priority } from '../../../src/model/subflow.js';
import { until } from '../../support/until.js';
import { figure6Paths } from '../network.js';
import { buildStage } from '../stage.js';
import { PATIENCE_MS, reconnects, say, scenario } from './scenario.js';

const CLIENTS = 3;

await scenario(async (cleanup, out) => {
  const stage = await buildStage(cleanup, {
    paths: figure6Paths,
    clients: CLIENTS,
    backend: 'netlink',
    // listens on [::] as well, so that the kernel holds the clients' IPv4 addresses as mapped ones
    server: { family: 6 },
    logs: out,
  });
  const { pid } = stage.server;
  const netlink = await NetlinkBackend.open();
  cleanup.add(() => netlink.close());
  const devmem = await DevmemBackend.open('btf');
  cleanup.add(() => devmem.close());

  // one client asks for backup on its second path, and one has only one path
  const [withBackup, withOnePath] = stage.network.clients;
  await withBackup?.namespace.ip([`mptcp endpoint change ${withBackup.addresses.lte?.v4 ?? ''} backup`]);
  await withOnePath?.namespace.ip(['mptcp endpoint flush']);
  const tunnels = [];
  for (let index = 0; index < CLIENTS; index++) tunnels.push(await stage.connect(index, `client${index}`));
  const rounds: Record<string, { devmem: unknown; netlink: unknown }> = {};
  // netlink is read before and after devmem, because the counters grow meanwhile
  const counters: { before: Counts; devmem: Counts; after: Counts }[] = [];
  const observeBoth = async (name: string) => {
    rounds[name] = { devmem: await observe(devmem, pid), netlink: await observe(netlink, pid) };
    counters.push({
      before: await readCounts(netlink, pid),
      devmem: await readCounts(devmem, pid),
      after: await readCounts(netlink, pid),
    });
    say(name);
  };

  await until(
    'every subflow is connected',
    async () => {
      const { connections } = await netlink.connections(pid);
      return connections.flatMap(({ subflows }) => subflows).length === 2 * CLIENTS - 1;
    },
    PATIENCE_MS,
  );
  await observeBoth('connected');
  await setAll(netlink, pid, 'wifi', 'backup');
  await observeBoth('set by netlink');
  await devmem.connections(pid);
  await setAll(devmem, pid, 'wifi', 'active');
  await observeBoth('set by devmem');
  return { rounds, counters, reconnects: await reconnects(tunnels) };
});

/** Sets the priority of every subflow on a path. */
async function setAll(backend: Backend, pid: number, path: string, priority: Priority): Promise<void> {
  const prefix = path === 'wifi' ? '192.168.100.' : '192.168.200.';
  for (const { remote: connection, subflows } of (await backend.connections(pid)).connections) {
    for (const { local, remote } of subflows) {
      if (!remote.address.startsWith(prefix)) continue;
      const result = await backend.setPriority({ pid, connection, local, remote }, priority);
      if (result.outcome !== 'committed')
        throw new Error(`${backend.name}: ${result.outcome}, ${result.reason ?? ''}`);
    }
  }
}

/** By the client's endpoint of each subflow: counters that only grow. */
type Counts = Readonly<Record<string, readonly (number | undefined)[]>>;

async function readCounts(backend: Backend, pid: number): Promise<Counts> {
  const { connections } = await backend.connections(pid);
  const subflows = connections.flatMap(({ subflows }) => subflows);
  return Object.fromEntries(
    subflows.map(({ remote, bytesAcked, bytesReceived, retransmitted }) => [
      formatEndpoint(remote),
      [bytesAcked, bytesReceived, retransmitted],
    ]),
  );
}

/** All members that both backends report, in the same order. */
async function observe(backend: Backend, pid: number): Promise<unknown> {
  const { connections, plain, problems } = await backend.connections(pid);
  return {
    connections: connections.map(commonMembers).sort((a, b) => a.token - b.token),
    plain,
    problems,
  };
}

/** A connection without the members that only one backend reports. */
function commonMembers({ pid, remote, local, token, subflows }: Connection) {
  const sorted = subflows
    .map(({ local, remote, ours, peers }) => ({ local, remote, ours, peers }))
    .sort((a, b) => a.remote.address.localeCompare(b.remote.address));
  return { pid, remote, local, token, subflows: sorted };
}
