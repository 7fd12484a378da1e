import type { Connection } from '../model/connection.js';
import type { Subflow } from '../model/subflow.js';

/** Where a subflow of a connection runs. */
export interface PlacedSubflow {
  readonly subflow: Subflow;
  /** Name of its path; undefined when it is on none (elsewhere, or through the tunnel). */
  readonly path: string | undefined;
  /** Its client's address is one inside the tunnel: the tunnel would carry itself. */
  readonly throughTunnel: boolean;
}

/** The addresses that a server gave its clients inside the tunnel. */
export type VirtualAddresses = ReadonlySet<string>;

/** Tells of each subflow which path it is on. One through the tunnel is on none, whatever the prefixes say. */
export function placeSubflows(
  connection: Connection,
  pathOf: (address: string) => string | undefined,
  virtual: VirtualAddresses,
): PlacedSubflow[] {
  return connection.subflows.map((subflow) => {
    const { address } = subflow.remote;
    const throughTunnel = virtual.has(address);
    return { subflow, throughTunnel, path: throughTunnel ? undefined : pathOf(address) };
  });
}

/**
 * The path whose subflows are all active by this host's wish while every other subflow is backup; undefined when there
 * is no such one path.
 */
export function currentPrimary(subflows: readonly PlacedSubflow[]): string | undefined {
  const candidate = subflows.find(({ subflow }) => subflow.ours === 'active')?.path;
  if (candidate === undefined) return undefined;
  const holds = subflows.every(({ subflow, path }) => (subflow.ours === 'active') === (path === candidate));
  return holds ? candidate : undefined;
}
