import type { Socket } from 'node:net';
import { loadAddon, type PeerCredentials } from './addon.js';

/**
 * The process at the other end of a connected unix socket, from SO_PEERCRED, which Node does not offer.
 * @returns undefined if the socket was closed.
 * @throws {KernelError} if the native addon cannot be loaded.
 */
export function unixPeer(socket: Socket): PeerCredentials | undefined {
  // Node has no public way to the descriptor. Since Node 0.6 a net.Socket has this private handle.
  const { _handle: handle } = socket as unknown as { _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd ?? -1;
  if (fd < 0) return undefined;
  return loadAddon().peerCredentials(fd);
}
