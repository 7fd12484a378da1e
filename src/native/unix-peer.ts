import { readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { loadAddon, type PeerCredentials } from './addon.js';

/**
 * Who is at the other end of a connected unix socket; undefined if it was closed meanwhile.
 * @throws {KernelError} if the native addon cannot be loaded: Node has no SO_PEERCRED.
 */
export function unixPeer(socket: Socket): PeerCredentials | undefined {
  // Node gives out no descriptor; net.Socket has had this one of libuv's since 0.6
  const { _handle: handle } = socket as unknown as { _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd ?? -1;
  if (fd < 0) return undefined;
  return loadAddon().peerCredentials(fd);
}

/** The program of a process, in brackets behind a space; nothing where it cannot be seen. */
export function programOf(pid: number): string {
  try {
    return ` (${readlinkSync(`/proc/${pid}/exe`)})`;
  } catch {
    return '';
  }
}
