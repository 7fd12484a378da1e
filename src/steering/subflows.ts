import type { Connection } from '../model/connection.js';
import type { Subflow } from '../model/subflow.js';
import type { PathFinder } from './paths.js';

/** A subflow and its path. */
export interface PlacedSubflow {
  readonly subflow: Subflow;
  /** Name of its path; undefined if it is on no path of the config, or runs through the tunnel. */
  readonly path: string | undefined;
  /** Whether the client's address is one inside the tunnel: the tunnel would carry its own packets. */
  readonly throughTunnel: boolean;
}

/** The addresses inside the tunnel that a server gave its clients. */
export type VirtualAddresses = ReadonlySet<string>;

/** Finds the path of each subflow. One through the tunnel is on no path, whatever the config says. */
export function placeSubflows(
  connection: Connection,
  pathOf: PathFinder,
  virtual: VirtualAddresses,
): PlacedSubflow[] {
  return connection.subflows.map((subflow) => {
    const {
      id,
      remote: { address },
    } = subflow;
    const throughTunnel = virtual.has(address);
    return { subflow, throughTunnel, path: throughTunnel ? undefined : pathOf(address, id) };
  });
}

/**
 * The path that is primary now: this host asks for active on all its subflows, and for backup on all others.
 * Undefined if there is no such path.
 */
export function currentPrimary(subflows: readonly PlacedSubflow[]): string | undefined {
  const candidate = subflows.find(({ subflow }) => subflow.ours === 'active')?.path;
  if (candidate === undefined) return undefined;
  const isOnlyOne = subflows.every(
    ({ subflow, path }) => (subflow.ours === 'active') === (path === candidate),
  );
  return isOnlyOne ? candidate : undefined;
}

/** Whether the client asks for backup on all its subflows of a path, whatever the rule makes of it. */
export function isHeldBackByClient(placed: readonly PlacedSubflow[], path: string): boolean {
  return placed.every((one) => one.path !== path || one.subflow.peers === 'backup');
}
