import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ConsoleConfig } from '../../config/config.js';
import { canonicalAddress } from '../../model/endpoint.js';
import { socketOwner } from '../../native/socket-owner.js';
import { requireGroup } from '../common/group.js';
import { isInGroup, isRoot, userName } from '../common/users.js';

/** Where a TCP connection comes from. Limits are per source. */
export interface Source {
  /** A user of this host, an IPv4 address, or an IPv6 network of 64 bits, as text for messages. */
  readonly name: string;
  /** The user, if the connection comes from this host by loopback and its user is known. */
  readonly uid: number | undefined;
}

/** Bytes of the network part of an IPv6 address. A host that has one address of a network can use all of them. */
const NETWORK_BYTES = 8;

/** Returns the source of a connection. */
export function sourceOf(socket: Socket): Source {
  const address = canonicalOf(socket.remoteAddress);
  if (address === undefined) return { name: 'unknown', uid: undefined };
  const parsed = ipaddr.parse(address);
  if (parsed.range() === 'loopback') {
    const uid = ownerOf(socket, address);
    return { name: uid === undefined ? address : `user ${userName(uid)} of this host`, uid };
  }
  if (parsed.kind() === 'ipv4') return { name: address, uid: undefined };
  const network = [...parsed.toByteArray().slice(0, NETWORK_BYTES), ...Array<number>(NETWORK_BYTES).fill(0)];
  return { name: `${ipaddr.fromByteArray(network).toString()}/64`, uid: undefined };
}

/** The user of the process at the other end; undefined if the process has closed the socket already. */
function ownerOf(socket: Socket, address: string): number | undefined {
  const local = canonicalOf(socket.localAddress);
  const { localPort = 0, remotePort = 0 } = socket;
  if (local === undefined) return undefined;
  try {
    const owner = socketOwner({ address, port: remotePort }, { address: local, port: localPort });
    return owner === undefined || owner.isListening || owner.inode === 0 ? undefined : owner.uid;
  } catch {
    return undefined;
  }
}

function canonicalOf(address: string | undefined): string | undefined {
  return address === undefined ? undefined : canonicalAddress(address.replace(/%.*$/, ''));
}

/** Whether a user could write to the console's unix socket. Such a user needs no password on TCP. */
export function mayUse(uid: number, { mode, group }: Pick<ConsoleConfig, 'mode' | 'group'>): boolean {
  if (isRoot(uid) || (mode & 0o002) !== 0) return true;
  if ((mode & 0o020) === 0) return false;
  try {
    return isInGroup(uid, group === undefined ? (process.getegid?.() ?? 0) : requireGroup(group));
  } catch {
    return false; // the group does not exist, or the files cannot be read
  }
}
