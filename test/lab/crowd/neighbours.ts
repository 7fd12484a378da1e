import { mkdir } from 'node:fs/promises';
import { hostOn, type Subnet } from '../addresses.js';
import type { Cleanup } from '../cleanup.js';
import { Namespace } from '../namespace.js';
import { attachClient, defaultRoute, forward, link, type Network, type NetworkOptions } from '../network.js';
import { clientConfig, serverConfig } from '../openvpn-config.js';
import { OpenvpnProcess } from '../openvpn.js';
import { Authority } from '../pki.js';

/** A client with one path, on a server that subflowd does not serve. */
export interface Neighbour {
  readonly namespace: Namespace;
  readonly openvpn: OpenvpnProcess;
}

export interface NeighbourOptions {
  readonly names: readonly string[];
  /** Name of the only path that they have. */
  readonly on: string;
  /** The directory of their configs and logs. */
  readonly directory: string;
  /** Settings of their namespaces, the same as of the network's. */
  readonly sysctl: NonNullable<NetworkOptions['sysctl']>;
}

const serverSubnet: Subnet = { number: 111 };
const webSubnet: Subnet = { number: 121 };
const tunnels = '10.9.0.0';

/**
 * Adds the other ISP's clients to one of the network's access points. They connect by plain TCP to their own ISP's OpenVPN
 * server, which reaches the same web server. `cleanup` stops and removes everything.
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
  const neighbourNetwork: Network = { ...network, server, serverAddress: hostOn(serverSubnet, 2) };
  await start(server, 'neighbours', await serverConfig(neighbourNetwork, authority, { tunnels }));

  const accessPoint = network.accessPoints[on];
  const onPath = network.paths.find(({ name }) => name === on);
  if (!accessPoint || !onPath) throw new Error(`the network has no path ${on}`);
  return Promise.all(
    names.map(async (name, index) => {
      const namespace = await create(name);
      // 0, because it is their first path, although it is not the first path of others
      await attachClient(accessPoint, namespace, onPath, 0, network.clients.length + index);
      const openvpn = await start(namespace, name, await clientConfig(neighbourNetwork, authority, name));
      return { namespace, openvpn };
    }),
  );
}
