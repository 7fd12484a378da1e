import { labScript } from '../lab/checkout.js';
import type { Cleanup } from '../lab/cleanup.js';
import type { Namespace } from '../lab/namespace.js';
import { buildNetwork, type Network } from '../lab/network.js';
import { says } from '../lab/says.js';
import { Floor } from './floor.js';
import type { Rival } from './switch.js';

export const PORT = 4000;
/** So that a session has three subflows. */
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

  /** @param prepare the server's namespace before the server is there. */
  static async open(
    cleanup: Cleanup,
    prepare: (server: Namespace) => Promise<void> = () => Promise.resolve(),
  ): Promise<RealSessions> {
    const network = await buildNetwork(cleanup, { paths: PATHS });
    await prepare(network.server);
    const [host] = network.clients;
    if (!host) throw new Error('the network has no client');
    const child = start(network.server, cleanup, 'serve', `${PORT}`);
    await says(child.stdout, 'listening');
    return new RealSessions(network, host.namespace, child.pid as number, cleanup);
  }

  /** More sessions; their further subflows come by themselves. */
  async add(count: number): Promise<void> {
    const child = start(
      this.client,
      this.cleanup,
      'hold',
      this.network.serverAddress.v4,
      `${PORT}`,
      `${count}`,
    );
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('held')) resolve();
      });
      void child.then(() => {
        reject(new Error('the client ended'));
      });
    });
  }

  /** What an admin types: it changes one of the client's endpoints, as a process. */
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

function start(namespace: Namespace, cleanup: Cleanup, ...args: readonly string[]) {
  const child = namespace.start('mptcpize', ['run', process.execPath, labScript('mptcp-peer'), ...args]);
  cleanup.add(async () => {
    child.kill('SIGKILL');
    await child;
  });
  return child;
}
