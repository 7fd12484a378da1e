import { openSilentListener } from './backend/netlink/silent-listener.js';
import type { NativeNetlinkSocket } from './native/addon.js';
import { passedDescriptors, type ServiceManager } from './service-manager.js';

/** The name of the descriptor that systemd keeps. */
export const KEPT_NAME = 'path-manager';

/** What {@link keepListening} found and did. */
export interface KeptListener {
  /** Whether somebody has listened since before this process, because systemd kept the socket of the process before. */
  readonly wasListening: boolean;
  /** Present if it was opened now. It must stay open as long as this process serves. */
  readonly socket?: NativeNetlinkSocket;
}

/**
 * Lets systemd keep a socket that listens to the kernel's path manager, so that clients can join while this process is
 * restarted. Without systemd, or without a path manager for userspace, it does nothing.
 */
export function keepListening(manager: ServiceManager, passed = passedDescriptors()): KeptListener {
  // systemd still has its own descriptor of the socket
  if (passed.has(KEPT_NAME)) return { wasListening: true };
  try {
    const socket = openSilentListener();
    manager.keep(KEPT_NAME, socket.fd);
    return { wasListening: false, socket };
  } catch {
    // the backend reports why it cannot listen
    return { wasListening: false };
  }
}
