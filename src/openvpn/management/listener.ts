import { lstatSync, realpathSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../../model/endpoint.js';
import { socketOwner, type OwnedSocket } from '../../native/socket-owner.js';
import { unixPeer } from '../../native/unix-peer.js';
import { programOf } from '../../util/program-of.js';
import { reasonOf } from '../../util/errno.js';
import { userOrNumber, userNumber } from '../../util/accounts.js';

/** Where a management interface listens. */
export type ManagementTarget = { readonly socket: string } | { readonly host: string; readonly port: number };

/**
 * Finds out who listens at the address that a socket connects to, so that only OpenVPN gets the password. While OpenVPN does
 * not run, anybody on this host can listen on its port. The listener must be root, the user of this process, or `user`. A
 * socket that OpenVPN opened as root stays root's when OpenVPN changes to another user. Call this before the socket connects.
 * @param user name or number of another user that starts OpenVPN.
 * @returns a function to call after the connect. It returns why nothing may be sent; undefined if something may be sent, or
 * if the interface is on another host, where this host cannot check it.
 */
export function watchListener(
  socket: Socket,
  target: ManagementTarget,
  user?: string,
): () => string | undefined {
  const users = trustedUsers(user);
  const findProblem =
    'socket' in target ? () => checkUnix(socket, target.socket, users) : watchTcp(socket, target, users);
  return () => {
    try {
      const problem = findProblem();
      if (problem === undefined) return undefined;
      const unknown =
        user !== undefined && userNumber(user) === undefined ? ` (there is no user ${user})` : '';
      return `subflowd sends nothing there${unknown}, because ${problem}`;
    } catch (error) {
      return `subflowd sends nothing there, because it cannot find out who listens there: ${reasonOf(error)}`;
    }
  };
}

function trustedUsers(user: string | undefined): ReadonlySet<number> {
  const other = user === undefined ? undefined : userNumber(user);
  return new Set([0, process.geteuid?.() ?? 0, ...(other === undefined ? [] : [other])]);
}

/**
 * Two sockets cannot listen at one address. So a socket that listened both before and after the connect has the connection.
 * The owner of the connection itself proves nothing: OpenVPN accepts it as the user that it has changed to.
 */
function watchTcp(
  socket: Socket,
  { host, port }: { readonly host: string; readonly port: number },
  users: ReadonlySet<number>,
): () => string | undefined {
  const before = new Map<string, number | undefined>();
  const rememberListener = (address: string) => {
    try {
      const bare = reachedAt(withoutZone(address));
      if (isOwnAddress(bare)) before.set(bare, listenerAt(bare, port)?.inode);
    } catch {
      // the check after the connect fails in the same way, and reports it
    }
  };
  if (isIP(host) !== 0) rememberListener(host);
  socket.on('lookup', (_error, address) => {
    if (address) rememberListener(address);
  });
  return () => {
    const address = withoutZone(socket.remoteAddress ?? '');
    if (!isOwnAddress(address)) return undefined;
    const listener = listenerAt(address, port);
    if (listener === undefined) return 'the process that listened there does not listen any more';
    if (!users.has(listener.uid)) return describeUser(listener.uid);
    return before.get(address) === listener.inode
      ? undefined
      : 'another process has just begun to listen there';
  };
}

function listenerAt(address: string, port: number): OwnedSocket | undefined {
  // no connection has port 0, so only a listener can match
  const found = socketOwner({ address, port }, { address, port: 0 });
  return found?.isListening ? found : undefined;
}

/** The address that a connect reaches: the unspecified address leads to this host's loopback address. */
function reachedAt(address: string): string {
  if (isIP(address) === 0 || ipaddr.parse(address).range() !== 'unspecified') return address;
  return isIP(address) === 4 ? '127.0.0.1' : '::1';
}

/** Whether this host has the address. */
function isOwnAddress(address: string): boolean {
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

/** Checks the user at the other end. If OpenVPN has changed its user, checks who can have made the socket file. */
function checkUnix(socket: Socket, path: string, users: ReadonlySet<number>): string | undefined {
  const peer = unixPeer(socket);
  if (peer === undefined) return 'it closed the connection';
  if (users.has(peer.uid) || isPlacedBy(users, path)) return undefined;
  return describeUser(peer.uid, peer.pid);
}

/** Whether only these users can have made a file. They must own it and every directory above it, and only they may write. */
function isPlacedBy(users: ReadonlySet<number>, path: string): boolean {
  try {
    const real = realpathSync(path);
    if (!users.has(lstatSync(real).uid)) return false;
    return [path, real].every((each) => isWritableOnlyBy(users, dirname(each)));
  } catch {
    return false;
  }
}

/** @param holdsFile whether the file itself is in this directory, and not only further below. */
function isWritableOnlyBy(users: ReadonlySet<number>, directory: string, holdsFile = true): boolean {
  const { uid, mode } = lstatSync(directory);
  const isLink = (mode & 0o170000) === 0o120000;
  const isWritable = !isLink && (mode & 0o022) !== 0;
  // in a directory like /tmp nobody can replace a file of another user, but anybody can make a new one
  const isSticky = (mode & 0o1000) !== 0;
  if (!users.has(uid) || (isWritable && (holdsFile || !isSticky))) return false;
  const parent = dirname(directory);
  return parent === directory || isWritableOnlyBy(users, parent, false);
}

function describeUser(uid: number, pid = 0): string {
  const { name } = userOrNumber(uid);
  const program = pid === 0 ? '' : `, process ${pid}${programOf(pid)}`;
  return (
    `user ${name} listens there${program}, but OpenVPN starts as root; to fix it: end that program or, if it is OpenVPN, ` +
    `set management-user = ${name} in its [openvpn] section`
  );
}
