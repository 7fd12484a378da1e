import { labScript } from '../lab/checkout.js';
import type { Cleanup } from '../lab/cleanup.js';
import type { NamespaceProcess } from '../lab/namespace.js';
import type { ClientHost } from '../lab/network.js';
import { openvpnPort } from '../lab/openvpn.js';
import { says } from '../lab/says.js';
import type { Stage } from '../lab/stage.js';

export interface FloodOptions {
  readonly joins: number;
  readonly perSecond: number;
  /** Which connection, as the joiner is told; a stranger's own unless given. */
  readonly to?: string | undefined;
}

/** Begins to join from a host, by its own path manager; `all` resolves when all joins were asked for. */
export async function floodOfJoins(
  cleanup: Cleanup,
  { network }: Stage,
  { namespace, addresses }: ClientHost,
  { joins, perSecond, to }: FloodOptions,
): Promise<{ readonly child: NamespaceProcess; readonly all: Promise<void> }> {
  const child = namespace.start('mptcpize', [
    ...['run', process.execPath, labScript('joiner'), network.serverAddress.v4, `${openvpnPort}`],
    ...[addresses.lte?.v4 ?? '', `${joins}`, `${perSecond}`, ...(to === undefined ? [] : [to])],
  ]);
  cleanup.add(async () => {
    child.kill('SIGKILL');
    await child;
  });
  const all = says(child.stdout, 'joined');
  // who is content with the beginning does not wait for the end
  all.catch(() => undefined);
  await Promise.race([
    says(child.stdout, 'joins'),
    child.then(({ stderr }) => Promise.reject(new Error(stderr))),
  ]);
  return { child, all };
}
