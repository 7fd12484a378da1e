import { mkdir } from 'node:fs/promises';
import { hostOn, type Subnet } from '../addresses.js';
import type { Cleanup } from '../cleanup.js';
import { Namespace } from '../namespace.js';
import { attachClient, defaultRoute, forward, link, type Network, type NetworkOptions } from '../network.js';
import { clientConfig, serverConfig } from '../openvpn-config.js';
import { OpenvpnProcess } from '../openvpn.js';
import { Authority } from '../pki.js';

/** A client that has one path, on a server that nothing steers. */
export interface Neighbour {
  readonly namespace: Namespace;
  readonly openvpn: OpenvpnProcess;
}

export interface NeighbourOptions {
  readonly names: readonly string[];
  /** Name of the one path that they have. */
  readonly on: string;
  /** Where their configs and logs go. */
  readonly directory: string;
  /** Of their namespaces, as of the network's. */
  readonly sysctl: NonNullable<NetworkOptions['sysctl']>;
}

const serverSubnet: Subnet = { number: 111 };
const webSubnet: Subnet = { number: 121 };
const tunnels = '10.9.0.0';

/**
 * The other ISP's clients on one of the network's access points, connected by plain TCP to their ISP's own OpenVPN
 * server, which reaches the same web server. Everything is stopped and removed by `cleanup`.
 */
export async function addNeighbours(
  cleanup: Cleanup,
  network: Network,
  { names, on, directory, sysctl }: NeighbourOptions,
): Promise<Neighbour[]> {
  const create = async (role: string): Promise<Namespace> => {
    const namespace = await Namespace.create(role);
    cleanup.add(() => namespace.remove());
    await namespace.sysctl(sysctl);
    return namespace;
  };
  await mkdir(directory, { recursive: true });
  const authority = await Authority.create(directory);
  const start = async (host: Namespace, name: string, lines: readonly string[]): Promise<OpenvpnProcess> => {
    const openvpn = await OpenvpnProcess.start(host, directory, name, lines, { mptcp: false });
    cleanup.add(() => openvpn.stop());
    await openvpn.ready();
    return openvpn;
  };

  const server = await create('neighbours');
  await forward(server);
  await link(network.internet, 'neighbours', server, 'internet', serverSubnet);
  await link(server, 'web', network.web, 'neighbours', webSubnet);
  const [webNetwork] = network.webNetwork;
  await server.ip([
    ...defaultRoute(serverSubnet, 'internet'),
    `route add ${webNetwork}/24 via ${hostOn(webSubnet, 2).v4}`,
  ]);
  await network.web.ip([`route add ${tunnels}/24 via ${hostOn(webSubnet, 1).v4}`]);
  const theirs: Network = { ...network, server, serverAddress: hostOn(serverSubnet, 2) };
  await start(server, 'neighbours', await serverConfig(theirs, authority, { tunnels }));

  const accessPoint = network.accessPoints[on];
  const onPath = network.paths.find(({ name }) => name === on);
  if (!accessPoint || !onPath) throw new Error(`the network has no path ${on}`);
  return Promise.all(
    names.map(async (name, index) => {
      const namespace = await create(name);
      // 0: their first path, whatever it is to others
      await attachClient(accessPoint, namespace, onPath, 0, network.clients.length + index);
      const openvpn = await start(namespace, name, await clientConfig(theirs, authority, name));
      return { namespace, openvpn };
    }),
  );
}
