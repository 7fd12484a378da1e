import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ConsoleConfig } from '../../config/config.js';
import { canonicalAddress } from '../../model/endpoint.js';
import { isListedMember } from '../../util/groups.js';
import { socketOwner } from '../../native/socket-owner.js';
import { userOf } from '../../openvpn/events-directory.js';
import { groupId } from '../common/group.js';
import { isRoot, userName } from '../common/users.js';

/** Who connects on TCP. */
export interface Source {
  /** What is counted as one: a user of this host, an IPv4 address, or the 64 bits of an IPv6 network. For people, too. */
  readonly name: string;
  /** The user, where it connects from this host by loopback and can be told. */
  readonly uid: number | undefined;
}

/** Bytes of an IPv6 address that say the network: who has one address of it has all. */
const NETWORK_BYTES = 8;

/** Who is at the other end. */
export function sourceOf(socket: Socket): Source {
  const address = plain(socket.remoteAddress);
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

/** A socket that its process has closed already is nobody's. */
function ownerOf(socket: Socket, address: string): number | undefined {
  const ours = plain(socket.localAddress);
  const { localPort = 0, remotePort = 0 } = socket;
  if (ours === undefined) return undefined;
  try {
    const owner = socketOwner({ address, port: remotePort }, { address: ours, port: localPort });
    return owner === undefined || owner.isListening || owner.inode === 0 ? undefined : owner.uid;
  } catch {
    return undefined;
  }
}

function plain(address: string | undefined): string | undefined {
  return address === undefined ? undefined : canonicalAddress(address.replace(/%.*$/, ''));
}

/** Whether a user could write to the console's unix socket, and so may use it on TCP without a password. */
export function mayUse(uid: number, { mode, group }: Pick<ConsoleConfig, 'mode' | 'group'>): boolean {
  if (isRoot(uid) || (mode & 0o002) !== 0) return true;
  if ((mode & 0o020) === 0) return false;
  try {
    return isMember(uid, group === undefined ? (process.getegid?.() ?? 0) : groupId(group));
  } catch {
    return false; // the group is gone, or the files cannot be read
  }
}

/** By passwd(5) and group(5): members that only a directory service knows are not seen. */
function isMember(uid: number, gid: number): boolean {
  const user = userOf(uid);
  return user !== undefined && (user.gid === gid || isListedMember(user.name, gid));
}
