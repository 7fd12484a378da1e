import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkout } from './checkout.js';
import type { Cleanup } from './cleanup.js';
import { buildNetwork, type ClientHost, type Network, type NetworkOptions } from './network.js';
import { clientConfig, serverConfig, type ServerOptions } from './openvpn-config.js';
import { OpenvpnProcess } from './openvpn.js';
import { Authority } from './pki.js';
import { makeSidecarFiles, type KernelLines, type SidecarFiles } from './sidecar-files.js';

export interface StageOptions extends NetworkOptions {
  /** Address family of the tunnels' outer connections. */
  readonly family?: 4 | 6;
  /** Directory for OpenVPN's configs and logs, which stay. By default a directory that is removed at the end. */
  readonly logs?: string;
  /** Parent of the directory for everything else; the directory of temporary files by default. */
  readonly parent?: string;
  /** File that `subflowd layout` made, for a kernel without BTF. */
  readonly layout?: string;
  /** The backend in the config of subflowd. With `netlink`, the server's namespace has pm_type = 1. */
  readonly backend?: KernelLines['backend'];
  /** More of the server's options. */
  readonly server?: ServerOptions;
}

export interface ConnectOptions {
  /** More lines of the client's config. */
  readonly lines?: readonly string[];
  /** Address family of its socket; that of the stage by default. */
  readonly family?: 4 | 6;
  /** The server's address; by default the one of that family. */
  readonly remote?: string;
  /** Whether it uses MPTCP; true by default. */
  readonly mptcp?: boolean;
}

/** The paper's network with a running OpenVPN server that is set up for subflowd. */
export interface Stage {
  readonly network: Network;
  readonly server: OpenvpnProcess;
  readonly files: SidecarFiles;
  /** Starts the client on the network's host `index` and waits until it is connected. */
  connect(index: number, commonName: string, options?: ConnectOptions): Promise<OpenvpnProcess>;
}

/** Builds a stage. `cleanup` stops and removes everything. */
export async function buildStage(cleanup: Cleanup, options: StageOptions = {}): Promise<Stage> {
  const { family = 4 } = options;
  const network = await buildNetwork(cleanup, options);
  const work = await mkdtemp(path.join(options.parent ?? tmpdir(), 'subflowd-stage-'));
  cleanup.add(() => rm(work, { recursive: true, force: true }));
  const logs = options.logs ?? work;
  await mkdir(logs, { recursive: true });
  const files = await makeSidecarFiles(work, { backend: options.backend, layout: options.layout });
  if (options.backend === 'netlink') {
    await network.server.run('sysctl', [
      '-q',
      '-p',
      path.join(checkout, 'openvpn-conf', 'subflowd-sysctl.conf'),
    ]);
  }
  const authority = await Authority.create(work);

  const start = async (
    name: string,
    host: ClientHost['namespace'],
    lines: readonly string[],
    mptcp = true,
  ) => {
    const openvpn = await OpenvpnProcess.start(host, logs, name, lines, { mptcp });
    cleanup.add(() => openvpn.stop());
    await openvpn.ready();
    return openvpn;
  };
  // The user nobody runs them, and may not be allowed to read the checkout.
  const installed = path.join(work, 'hooks');
  await cp(path.join(checkout, 'hooks'), installed, { recursive: true });
  const hooks = {
    connect: path.join(installed, 'client-connect'),
    disconnect: path.join(installed, 'client-disconnect'),
    events: files.events,
  };
  const { management, passwordFile } = files;
  const server = await start(
    'server',
    network.server,
    await serverConfig(network, authority, {
      family,
      management,
      passwordFile,
      hooks,
      dropPrivileges: true,
      ...options.server,
    }),
  );
  return {
    network,
    server,
    files,
    async connect(index, commonName, { mptcp = true, ...options } = {}) {
      const host = network.clients[index];
      if (host === undefined) throw new RangeError(`the network has no client ${index}`);
      return start(
        `client${index}`,
        host.namespace,
        await clientConfig(network, authority, commonName, { family, ...options }),
        mptcp,
      );
    },
  };
}
