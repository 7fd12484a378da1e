import { hostOn, prefixOf, type Addresses, type Subnet } from './addresses.js';
import type { Cleanup } from './cleanup.js';
import { mptcpFamily, multipathOff, turnOnFullmesh } from './mptcp.js';
import { Namespace } from './namespace.js';
import { tunDevice } from './openvpn-config.js';

/** A path from the clients to the server: an access point with its network. Both directions are shaped. */
export interface PathOptions extends Subnet {
  /** Also the name of the client's interface: at most 13 characters. */
  readonly name: string;
  /** Rate of the access point in each direction, Mbit/s. */
  readonly rateMbit: number;
  /** Length of the queue in each direction, milliseconds; later packets are dropped. 50 by default. */
  readonly queueMs?: number;
}

export interface NetworkOptions {
  /** 1 to 200. */
  readonly clients?: number;
  readonly paths?: readonly PathOptions[];
  /** Settings of every namespace. A new namespace inherits all others from this machine. */
  readonly sysctl?: Readonly<Record<string, number | string>>;
}

export interface ClientHost {
  readonly namespace: Namespace;
  /** By path name. */
  readonly addresses: Readonly<Record<string, Addresses>>;
}

export interface Network {
  readonly server: Namespace;
  readonly serverAddress: Addresses;
  /** The clients reach it only through the tunnel. */
  readonly web: Namespace;
  readonly webAddress: Addresses;
  /** The network of the web server, to which the clients' tunnels need a route. */
  readonly webNetwork: readonly [network: string, netmask: string];
  readonly clients: readonly ClientHost[];
  readonly paths: readonly PathOptions[];
  /** Between server and access points; its interface towards an access point has the path's name and is shaped. */
  readonly internet: Namespace;
  /** By path name. Packets to the server are shaped on the interface `uplink`. */
  readonly accessPoints: Readonly<Record<string, Namespace>>;
}

/** Figure 6 of the paper: two access points. */
export const figure6Paths: readonly PathOptions[] = [
  { name: 'wifi', number: 100, rateMbit: 20 },
  { name: 'lte', number: 200, rateMbit: 20 },
];

const serverSubnet: Subnet = { number: 110 };
const webSubnet: Subnet = { number: 120 };
/** The subnet between an access point and the rest has this number plus the index of its path. */
const firstUplink = 10;

/** Allows as many subflows as a client has paths. */
const mptcpLimits = 'mptcp limits set subflows 4 add_addr_accepted 4';

/**
 * The paper's network in namespaces: `clients - access points - internet - server - web`.
 * Client i (from 0) is host 2+i on every access point's network. Everything is removed by `cleanup`.
 */
export async function buildNetwork(
  cleanup: Cleanup,
  { clients: count = 1, paths = figure6Paths, sysctl = {} }: NetworkOptions = {},
): Promise<Network> {
  const fullmesh = mptcpFamily() === 'multipath-tcp.org';
  if (fullmesh) await turnOnFullmesh(cleanup);
  const create = async (role: string): Promise<Namespace> => {
    const namespace = await Namespace.create(role);
    cleanup.add(() => namespace.remove());
    await namespace.sysctl(sysctl);
    return namespace;
  };
  const internet = await create('internet');
  const server = await create('server');
  const web = await create('web');
  await Promise.all([internet, server].map(forward));

  await link(internet, 'server', server, 'internet', serverSubnet);
  await link(server, 'web', web, 'server', webSubnet);
  await server.ip(defaultRoute(serverSubnet, 'internet'));
  if (fullmesh) {
    await multipathOff(server, 'web');
    await keepTunnelOut(server);
  } else {
    await server.ip([mptcpLimits]);
  }
  await web.ip(defaultRoute(webSubnet, 'server'));

  const accessPoints: Namespace[] = [];
  for (const [index, path] of paths.entries()) {
    const accessPoint = await create(path.name);
    await forward(accessPoint);
    await attachAccessPoint(internet, accessPoint, path, { number: firstUplink + index });
    accessPoints.push(accessPoint);
  }

  const clients: ClientHost[] = [];
  for (let index = 0; index < count; index += 1) {
    const namespace = await create(`client${index}`);
    if (fullmesh) await keepTunnelOut(namespace);
    else await namespace.ip([mptcpLimits]);
    for (const [at, path] of paths.entries()) {
      const accessPoint = accessPoints[at];
      if (accessPoint === undefined) continue;
      await attachClient(accessPoint, namespace, path, at, index);
      if (!fullmesh && at > 0) await addEndpoint(namespace, path, index);
    }
    const addresses = Object.fromEntries(paths.map((path) => [path.name, hostOn(path, 2 + index)]));
    clients.push({ namespace, addresses });
  }
  return {
    server,
    serverAddress: hostOn(serverSubnet, 2),
    web,
    webAddress: hostOn(webSubnet, 2),
    webNetwork: [hostOn(webSubnet, 0).v4, '255.255.255.0'],
    clients,
    paths,
    internet,
    accessPoints: Object.fromEntries(
      paths.flatMap(({ name }, at) => (accessPoints[at] ? [[name, accessPoints[at]]] : [])),
    ),
  };
}

/** Connects two namespaces: host 1 of the subnet is `near`, host 2 is `far`. */
export async function link(
  near: Namespace,
  nearName: string,
  far: Namespace,
  farName: string,
  subnet: Subnet,
): Promise<void> {
  await near.ip([
    `link add ${nearName} type veth peer name ${farName} netns ${far.name}`,
    ...up(nearName, subnet, 1),
  ]);
  await far.ip(up(farName, subnet, 2));
}

function up(device: string, subnet: Subnet, host: number): string[] {
  const { v4, v6 } = hostOn(subnet, host);
  return [
    `address add ${v4}/24 dev ${device}`,
    `address add ${v6}/64 dev ${device} nodad`,
    `link set ${device} up`,
  ];
}

/** `ip` commands for a default route to host 1 of the subnet. */
export function defaultRoute(subnet: Subnet, device: string, table = 'main'): string[] {
  const { v4, v6 } = hostOn(subnet, 1);
  return [
    `route add default via ${v4} dev ${device} table ${table}`,
    `route add default via ${v6} dev ${device} table ${table}`,
  ];
}

async function attachAccessPoint(
  internet: Namespace,
  accessPoint: Namespace,
  path: PathOptions,
  uplink: Subnet,
): Promise<void> {
  await link(internet, path.name, accessPoint, 'uplink', uplink);
  await accessPoint.ip(defaultRoute(uplink, 'uplink'));
  const { v4, v6 } = prefixOf(path);
  const gateway = hostOn(uplink, 2);
  await internet.ip([`route add ${v4} via ${gateway.v4}`, `route add ${v6} via ${gateway.v6}`]);
  // All clients of an access point share one bucket in each direction, as they share the air.
  const shape = `root tbf rate ${path.rateMbit}mbit burst 32kb latency ${path.queueMs ?? 50}ms`;
  await internet.tc([`qdisc add dev ${path.name} ${shape}`]);
  await accessPoint.tc([`qdisc add dev uplink ${shape}`]);
}

/**
 * Connects a client to an access point by one link for each client, because the kernel may have no bridge. The access point
 * has its address on every link, and a route to the host behind it.
 */
export async function attachClient(
  accessPoint: Namespace,
  client: Namespace,
  path: PathOptions,
  pathIndex: number,
  clientIndex: number,
): Promise<void> {
  const near = `client${clientIndex}`;
  const gateway = hostOn(path, 1);
  const own = hostOn(path, 2 + clientIndex);
  await accessPoint.ip([
    `link add ${near} type veth peer name ${path.name} netns ${client.name}`,
    `address add ${gateway.v4}/32 dev ${near}`,
    `address add ${gateway.v6}/128 dev ${near} nodad`,
    `link set ${near} up`,
    `route add ${own.v4}/32 dev ${near}`,
    `route add ${own.v6}/128 dev ${near}`,
  ]);
  const table = `${100 + pathIndex}`;
  await client.ip([
    ...up(path.name, path, 2 + clientIndex),
    ...defaultRoute(path, path.name, table),
    `rule add from ${own.v4} table ${table}`,
    // The first subflow uses the first path. The path manager opens a subflow from each other address.
    ...(pathIndex === 0 ? defaultRoute(path, path.name) : []),
  ]);
  await client.ip([`rule add from ${own.v6} table ${table}`], 6);
}

async function addEndpoint(client: Namespace, path: PathOptions, clientIndex: number): Promise<void> {
  const { v4, v6 } = hostOn(path, 2 + clientIndex);
  await client.ip([v4, v6].map((address) => `mptcp endpoint add ${address} dev ${path.name} subflow`));
}

/** Creates the tunnel's device before OpenVPN starts, so that no subflow uses its address: that would be a tunnel in itself. */
async function keepTunnelOut(namespace: Namespace): Promise<void> {
  await namespace.ip([`tuntap add dev ${tunDevice} mode tun`]);
  await multipathOff(namespace, tunDevice);
}

export async function forward(namespace: Namespace): Promise<void> {
  await namespace.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
}
