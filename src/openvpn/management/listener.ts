import { lstatSync, realpathSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../../model/endpoint.js';
import { socketOwner, type OwnedSocket } from '../../native/socket-owner.js';
import { programOf, unixPeer } from '../../native/unix-peer.js';
import { reasonOf } from '../../util/errno.js';
import { userOrNumber, userNumber } from '../../util/accounts.js';

/** Where a management interface listens. */
export type ManagementTarget = { readonly socket: string } | { readonly host: string; readonly port: number };

/**
 * Looks who listens where a socket is being connected to, so that passwords go to OpenVPN only: while it is down, anybody
 * on this host can listen on its port. Whoever listens must be root, this process's own user or `user`; the socket that
 * OpenVPN opened as root stays root's when OpenVPN becomes another user. To be called before the socket connects.
 * @param user name or number of another user that OpenVPN runs as from its start on.
 * @returns what to ask once it is connected: why nothing may be sent; undefined if it may, or if the interface is on another
 * host, where nobody here can look.
 */
export function watchListener(
  socket: Socket,
  target: ManagementTarget,
  user?: string,
): () => string | undefined {
  const users = trustedUsers(user);
  const judge =
    'socket' in target ? () => judgeUnix(socket, target.socket, users) : watchTcp(socket, target, users);
  return () => {
    try {
      const who = judge();
      if (who === undefined) return undefined;
      const unknown =
        user !== undefined && userNumber(user) === undefined ? ` (there is no user ${user})` : '';
      return `${who}: nothing was sent there${unknown}`;
    } catch (error) {
      return `it cannot be told who listens there, ${reasonOf(error)}: nothing was sent there`;
    }
  };
}

function trustedUsers(user: string | undefined): ReadonlySet<number> {
  const other = user === undefined ? undefined : userNumber(user);
  return new Set([0, process.geteuid?.() ?? 0, ...(other === undefined ? [] : [other])]);
}

/**
 * A connection is to the socket that listened both before and after it was made: no two can listen at one place. The
 * connection's own owner says less, since OpenVPN accepts it as the user that it has become.
 */
function watchTcp(
  socket: Socket,
  { host, port }: { readonly host: string; readonly port: number },
  users: ReadonlySet<number>,
): () => string | undefined {
  const before = new Map<string, number | undefined>();
  const note = (address: string) => {
    try {
      const bare = reachedAt(withoutZone(address));
      if (isOurs(bare)) before.set(bare, listenerAt(bare, port)?.inode);
    } catch {
      // the second look has the same trouble, and says so
    }
  };
  if (isIP(host) !== 0) note(host);
  socket.on('lookup', (_error, address) => {
    if (address) note(address);
  });
  return () => {
    const address = withoutZone(socket.remoteAddress ?? '');
    if (!isOurs(address)) return undefined;
    const listener = listenerAt(address, port);
    if (listener === undefined) return 'who listened there does so no longer';
    if (!users.has(listener.uid)) return describeUser(listener.uid);
    return before.get(address) === listener.inode ? undefined : 'it began to listen only just now';
  };
}

function listenerAt(address: string, port: number): OwnedSocket | undefined {
  // no connection has the port 0
  const found = socketOwner({ address, port }, { address, port: 0 });
  return found?.isListening ? found : undefined;
}

/** Who connects to the unspecified address reaches this host by loopback. */
function reachedAt(address: string): string {
  if (isIP(address) === 0 || ipaddr.parse(address).range() !== 'unspecified') return address;
  return isIP(address) === 4 ? '127.0.0.1' : '::1';
}

/** Whether an address is this host's. */
function isOurs(address: string): boolean {
  if (isIP(address) === 0) return false;
  if (ipaddr.parse(address).range() === 'loopback') return true;
  return Object.values(networkInterfaces()).some((all) =>
    all?.some((own) => withoutZone(own.address) === address),
  );
}

function withoutZone(address: string): string {
  const bare = address.replace(/%.*$/, '');
  return isIP(bare) === 0 ? bare : canonicalAddress(bare);
}

/** The user at the other end, or, where it has become another one since, who can have put the socket there. */
function judgeUnix(socket: Socket, path: string, users: ReadonlySet<number>): string | undefined {
  const peer = unixPeer(socket);
  if (peer === undefined) return 'it hung up';
  if (users.has(peer.uid) || isPlacedBy(users, path)) return undefined;
  return describeUser(peer.uid, peer.pid);
}

/** Whether nobody but these users can have put a file there: every directory above it is theirs alone. */
function isPlacedBy(users: ReadonlySet<number>, path: string): boolean {
  try {
    const real = realpathSync(path);
    if (!users.has(lstatSync(real).uid)) return false;
    return [path, real].every((each) => isTheirsAlone(users, dirname(each)));
  } catch {
    return false;
  }
}

function isTheirsAlone(users: ReadonlySet<number>, directory: string, holdsIt = true): boolean {
  const { uid, mode } = lstatSync(directory);
  const isLink = (mode & 0o170000) === 0o120000;
  const isWritable = !isLink && (mode & 0o022) !== 0;
  // in a directory such as /tmp nobody can replace what is another's, but anybody can put something new
  const isSticky = (mode & 0o1000) !== 0;
  if (!users.has(uid) || (isWritable && (holdsIt || !isSticky))) return false;
  const parent = dirname(directory);
  return parent === directory || isTheirsAlone(users, parent, false);
}

function describeUser(uid: number, pid = 0): string {
  const { name } = userOrNumber(uid);
  const program = pid === 0 ? '' : `, process ${pid}${programOf(pid)}`;
  return (
    `user ${name} listens there${program}, and not root, as whom OpenVPN starts; end that program or, if it is OpenVPN, ` +
    `set management-user = ${name} in its [openvpn] section`
  );
}
