import type { Cleanup } from '../lab/cleanup.js';
import type { Namespace } from '../lab/namespace.js';
import { buildNetwork, type Network } from '../lab/network.js';
import { says } from '../lab/says.js';
import { Floor } from './floor.js';
import { startPeer, startServer } from './peer.js';
import type { Rival } from './switch.js';

/** The port of the server. */
export const PORT = 4000;
/** Milliseconds in which all new sessions must connect. */
const PATIENCE_MS = 600_000;
/** Three paths, so that each session has three subflows. */
export const PATHS = ['one', 'two', 'three'].map((name, index) => ({
  name,
  number: 101 + index,
  rateMbit: 1000,
}));

/** Real MPTCP connections of three subflows each, to one server's process, in namespaces. */
export class RealSessions {
  private constructor(
    readonly network: Network,
    readonly client: Namespace,
    readonly pid: number,
    private readonly cleanup: Cleanup,
  ) {}

  /** @param prepare called with the server's namespace before the server starts. */
  static async open(
    cleanup: Cleanup,
    prepare: (server: Namespace) => Promise<void> = () => Promise.resolve(),
  ): Promise<RealSessions> {
    const network = await buildNetwork(cleanup, { paths: PATHS });
    await prepare(network.server);
    const [host] = network.clients;
    if (!host) throw new Error('the network has no client');
    const { child } = await startServer(network.server, cleanup, PORT);
    return new RealSessions(network, host.namespace, child.pid as number, cleanup);
  }

  /** Adds sessions. Resolves when they are connected; their second and third subflows follow later. */
  async add(count: number): Promise<void> {
    const server = [this.network.serverAddress.v4, `${PORT}`];
    const { child } = startPeer(this.client, this.cleanup, 'hold', ...server, `${count}`);
    await says(child.stdout, 'held', PATIENCE_MS);
  }

  /** What an admin would use to switch by hand: `ip`, a process that changes an endpoint of the client. */
  async ipRival(): Promise<Rival & { stop: () => Promise<void> }> {
    const { name } = this.client;
    const floor = Floor.start({ command: ['ip', 'netns', 'exec', name, ...Floor.command] });
    const words = ['ip', 'mptcp', 'endpoint', 'change', 'id', '1'];
    await floor.time('spawn', 1, ...words, 'backup');
    return {
      against: '`ip mptcp endpoint change`, a process',
      atLeast: 100,
      run: (count) => floor.time('spawn', count, ...words, 'backup'),
      stop: () => floor.stop(),
    };
  }
}
