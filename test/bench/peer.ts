import { labScript } from '../lab/checkout.js';
import type { Cleanup } from '../lab/cleanup.js';
import type { Namespace, NamespaceProcess } from '../lab/namespace.js';
import { says } from '../lab/says.js';

/** A running `mptcp-peer`. */
export interface Peer {
  readonly child: NamespaceProcess;
  readonly stop: () => Promise<void>;
}

/**
 * Starts {@link file://../lab/mptcp-peer.ts} in a namespace, under mptcpize. `cleanup` kills it at the end.
 * @param args its role and what follows.
 */
export function startPeer(namespace: Namespace, cleanup: Cleanup, ...args: readonly string[]): Peer {
  const child = namespace.start('mptcpize', ['run', process.execPath, labScript('mptcp-peer'), ...args]);
  const stop = async () => {
    child.kill('SIGKILL');
    await child;
  };
  cleanup.add(stop);
  return { child, stop };
}

/** Starts a server that holds connections on a TCP port. Resolves when it listens. */
export async function startServer(namespace: Namespace, cleanup: Cleanup, port: number): Promise<Peer> {
  const peer = startPeer(namespace, cleanup, 'serve', `${port}`);
  await says(peer.child.stdout, 'listening');
  return peer;
}
