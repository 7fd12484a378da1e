import path from 'node:path';
import type { Cleanup } from '../cleanup.js';
import type { Namespace } from '../namespace.js';
import type { Network } from '../network.js';
import { openvpnPort, type OpenvpnProcess } from '../openvpn.js';
import { tunDevice } from '../openvpn-config.js';
import { writeRules, type SidecarFiles } from '../sidecar-files.js';
import { Sidecar } from '../sidecar.js';
import { buildStage } from '../stage.js';
import { until } from '../../support/until.js';
import { startWeb } from '../web.js';
import type { Arrangement } from './arrangement.js';
import { congestionControl } from './congestion.js';
import { accessPoints, clientsOfA, clientsOfB } from './isps.js';
import { addNeighbours } from './neighbours.js';

const patienceMs = 180_000;

/** A connected client. */
export interface CrowdClient {
  readonly name: string;
  /** Whether it is on the server that subflowd may steer. */
  readonly isOurs: boolean;
  readonly namespace: Namespace;
  readonly openvpn: OpenvpnProcess;
  /** The client's IPv4 address inside the tunnel. */
  readonly tunnelAddress: string;
}

/** Figures 1 and 2 of the paper, with all clients connected and without load. */
export interface Scene {
  readonly network: Network;
  readonly clients: readonly CrowdClient[];
  readonly sidecar?: Sidecar;
}

export interface SceneOptions {
  /** The directory for configs and logs, which stay there. */
  readonly out: string;
  /** Whether subflowd is told the capacities of the access points, or learns them. */
  readonly capacities: 'told' | 'learnt';
}

/**
 * Builds the network, starts OpenVPN and, if the arrangement has it, subflowd. Resolves when all clients are connected.
 * @param cleanup stops and removes everything.
 */
export async function buildScene(
  cleanup: Cleanup,
  arrangement: Arrangement,
  { out, capacities }: SceneOptions,
): Promise<Scene> {
  const { steering, clientsAskForBackup } = arrangement;
  const [, other] = accessPoints;
  const sysctl = { 'net.ipv4.tcp_congestion_control': await congestionControl() };
  const stage = await buildStage(cleanup, {
    paths: accessPoints,
    clients: clientsOfA.length,
    logs: out,
    sysctl,
    // without subflowd the server's kernel keeps its own path manager
    ...(steering === undefined ? {} : { backend: 'netlink' as const }),
  });
  const { network, files } = stage;
  await startWeb(cleanup, network);
  if (clientsAskForBackup) {
    for (const { namespace, addresses } of network.clients)
      await namespace.ip([`mptcp endpoint change ${addresses[other.name]?.v4 ?? ''} backup`]);
  }
  let sidecar: Sidecar | undefined;
  if (steering !== undefined) {
    await writeSteering(files, steering, capacities);
    sidecar = Sidecar.start(network.server, files.config, path.join(out, 'subflowd.log'));
    cleanup.add(() => sidecar?.stop() ?? Promise.resolve());
    await until('subflowd answers', () => sidecar?.status(), patienceMs);
  }

  const neighbours = await addNeighbours(cleanup, network, {
    names: clientsOfB,
    on: other.name,
    directory: path.join(out, 'neighbours'),
    sysctl,
  });
  const served = await Promise.all(
    clientsOfA.map(async (name, index) => ({
      namespace: (network.clients[index] as Network['clients'][number]).namespace,
      openvpn: await stage.connect(index, name),
    })),
  );
  const clients = await Promise.all(
    [...served, ...neighbours].map(async (client, index) => ({
      ...client,
      name: [...clientsOfA, ...clientsOfB][index] ?? '',
      isOurs: index < clientsOfA.length,
      tunnelAddress: await tunnelAddress(client.namespace),
    })),
  );
  await until(
    'each client has two subflows',
    async () => {
      const { stdout } = await network.server.run('ss', [
        '-Htn',
        'state',
        'established',
        'sport',
        `:${openvpnPort}`,
      ]);
      return stdout.split('\n').length === accessPoints.length * clientsOfA.length;
    },
    patienceMs,
  );
  if (steering === 'rules') {
    await until(
      'every rule is obeyed',
      async () => {
        const status = await sidecar?.status();
        return status?.sessions.every(({ state }) => state === 'obeyed') === true;
      },
      patienceMs,
    );
  }
  return sidecar === undefined ? { network, clients } : { network, clients, sidecar };
}

async function writeSteering(
  files: SidecarFiles,
  steering: NonNullable<Arrangement['steering']>,
  capacities: SceneOptions['capacities'],
): Promise<void> {
  const [own, other] = accessPoints;
  const rules = Object.fromEntries(
    clientsOfA.map((name, index) => [name, index < clientsOfA.length / 2 ? own.name : other.name]),
  );
  if (steering === 'rules') await writeRules(files, accessPoints, rules);
  else
    await writeRules(
      files,
      accessPoints,
      {},
      {
        path: ({ rateMbit }) => (capacities === 'told' ? [`capacity = ${rateMbit}mbit`] : []),
        sections: [['[default]', 'mode = balance', ...(steering === 'both' ? ['both = when-full'] : [])]],
      },
    );
}

async function tunnelAddress(namespace: Namespace): Promise<string> {
  const { stdout } = await namespace.run('ip', ['-4', '-o', 'address', 'show', 'dev', tunDevice]);
  const address = /inet ([\d.]+)/.exec(stdout)?.[1];
  if (address === undefined) throw new Error(`${tunDevice} in ${namespace.name} has no address`);
  return address;
}
