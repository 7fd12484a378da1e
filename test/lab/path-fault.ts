import type { Namespace } from './namespace.js';
import type { Network } from './network.js';

/** Which packets are lost on a path. */
export interface Fault {
  /** The fraction of packets that are lost, 0 to 1; 1 by default. */
  readonly loss?: number;
  /** Only IP packets of more than this many bytes are lost; all by default. */
  readonly largerThan?: number;
}

/** Where a fault is: between an access point and one client, or between an access point and all that is behind it. */
export interface FaultPlace {
  readonly path: string;
  /** Index of the client; absent: all clients of the access point. */
  readonly client?: number;
}

/** The length of an Ethernet header, which a packet's length contains. */
const ETHERNET_BYTES = 14;
/** SKF_AD_OFF + SKF_AD_RANDOM (include/uapi/linux/filter.h): a load from there gives 32 random bits. */
const RANDOM = 0xfffff000 + 56;
/** TC_ACT_OK and TC_ACT_SHOT (include/uapi/linux/pkt_cls.h). */
const [PASS, DROP] = [0, 2];

/**
 * Makes packets disappear without a message, in both directions. It uses a classic BPF program as a classifier, because
 * not every kernel has netem.
 * @returns the function that ends the fault.
 */
export async function breakPath(
  network: Network,
  place: FaultPlace,
  fault: Fault = {},
): Promise<() => Promise<void>> {
  const accessPoint = accessPointOf(network, place.path);
  const device = place.client === undefined ? 'uplink' : `client${place.client}`;
  const program = bytecode(fault);
  await accessPoint.tc([
    `qdisc add dev ${device} clsact`,
    ...['ingress', 'egress'].map(
      (direction) => `filter add dev ${device} ${direction} protocol all bpf da bytecode "${program}"`,
    ),
  ]);
  return () => accessPoint.tc([`qdisc del dev ${device} clsact`]);
}

/**
 * Loses packets of one client on a path as {@link breakPath} does, but with netem. The kernel of the lab's guests has it,
 * and no classifier.
 * @returns the function that ends the fault.
 */
export async function breakPathByNetem(
  network: Network,
  { path, client }: Required<FaultPlace>,
  { loss = 1 }: Pick<Fault, 'loss'> = {},
): Promise<() => Promise<void>> {
  const namespace = network.clients[client]?.namespace;
  if (!namespace) throw new RangeError(`the network has no client ${client}`);
  const ends = [
    [accessPointOf(network, path), `client${client}`],
    [namespace, path],
  ] as const;
  for (const [end, device] of ends) await end.tc([`qdisc add dev ${device} root netem loss ${loss * 100}%`]);
  return async () => {
    for (const [end, device] of ends) await end.tc([`qdisc del dev ${device} root`]);
  };
}

/** IP packets of more bytes are lost: the least MTU that IPv6 allows. A veth device lets 4 bytes more pass, for a VLAN tag. */
const SMALL_MTU = 1280;

/**
 * Loses large packets to one client on a path, by a small MTU of the client's device. A veth device drops larger packets
 * without a message, but only single ones (`is_skb_forwardable` in net/core/dev.c), so the server must not send several
 * segments as one packet.
 * @returns the function that ends the fault.
 */
export async function loseLargePackets(
  { server, clients }: Network,
  { path, client }: Required<FaultPlace>,
): Promise<() => Promise<void>> {
  const namespace = clients[client]?.namespace;
  if (!namespace) throw new RangeError(`the network has no client ${client}`);
  await server.ip(['link set internet gso_max_segs 1']);
  await namespace.ip([`link set ${path} mtu ${SMALL_MTU}`]);
  return () => namespace.ip([`link set ${path} mtu 1500`]);
}

function accessPointOf({ accessPoints }: Network, path: string): Namespace {
  const accessPoint = accessPoints[path];
  if (!accessPoint) throw new Error(`the network has no path ${path}`);
  return accessPoint;
}

/**
 * A program as `tc` reads it: the number of instructions, then each as `code true false k`. The codes are those of
 * include/uapi/linux/bpf_common.h.
 */
function bytecode({ loss = 1, largerThan }: Fault): string {
  const [load, loadLength, ifAbove, ifAtLeast, end] = [0x20, 0x80, 0x25, 0x35, 0x06];
  // each test jumps over the instructions after it to the last one, which passes the packet
  const tests = [
    ...(largerThan === undefined
      ? []
      : [{ first: loadLength, from: 0, test: ifAbove, than: largerThan + ETHERNET_BYTES }]),
    ...(loss >= 1 ? [] : [{ first: load, from: RANDOM, test: ifAtLeast, than: Math.round(loss * 2 ** 32) }]),
  ];
  const instructions = tests.flatMap(({ first, from, test, than }, index) => {
    const toPass = 2 * (tests.length - index - 1) + 1;
    const jumps = test === ifAbove ? `0 ${toPass}` : `${toPass} 0`;
    return [`${first} 0 0 ${from}`, `${test} ${jumps} ${than}`];
  });
  const all = [...instructions, `${end} 0 0 ${DROP}`, `${end} 0 0 ${PASS}`];
  return `${all.length},${all.join(',')}`;
}
