/**
 * How a client's subflows are used, by the names of 3GPP TS 23.501 clause 5.32.8 where they mean the same.
 * - `active-standby`: the first of `primary` that the client has is primary.
 * - `smallest-delay`: the one with the least round-trip time is primary.
 * - `priority-based`: the first of `primary`; the next joins while that is congested.
 * - `load-balancing`: all are active, and the kernel's scheduler decides.
 * - `balance`, this project's own: the client is placed among all others by load.
 */
export type Mode = (typeof MODES)[number];

export const MODES = [
  'active-standby',
  'smallest-delay',
  'priority-based',
  'load-balancing',
  'balance',
] as const;
