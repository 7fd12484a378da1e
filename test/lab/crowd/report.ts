import type { Arrangement } from './arrangement.js';
import type { LoadKind } from './load.js';

/** What the experiment came to: `report.json`. Rates are Mbit/s; times are seconds since the load began. */
export interface CrowdReport {
  /** Of the start, ISO 8601. */
  readonly date: string;
  /** Release of the kernel, as `uname -r` says it. */
  readonly kernel: string;
  readonly openvpn: string;
  /** Of every TCP. */
  readonly congestionControl: string;
  readonly seed: number;
  /** The constant rate of each client, of IP packets in the tunnel. */
  readonly constantMbit: number;
  /** Size of each download. */
  readonly downloadBytes: number;
  readonly accessPoints: readonly { readonly name: string; readonly capacityMbit: number }[];
  readonly runs: readonly RunReport[];
}

/** One arrangement under one load. */
export interface RunReport {
  readonly load: LoadKind;
  readonly arrangement: Arrangement['letter'];
  readonly title: string;
  readonly seconds: number;
  /** Bytes at the access points, with all headers and what was sent again, for one byte of IP packets out of the tunnels. */
  readonly overhead: number;
  /** How late the experiment's own timers were, the 99th percentile, ms: a busy machine's figures are worth less. */
  readonly latenessMs: number;
  /** By access point. */
  readonly accessPoints: Readonly<Record<string, AccessPointReport>>;
  readonly clients: readonly ClientReport[];
  /** Of the clients' goodput; 1 is the same for all. */
  readonly jain: number;
  /** Of the load; those that put the clients in their places beforehand are not among them. */
  readonly moves: readonly Move[];
  readonly series: readonly LoadPoint[];
  readonly placements: readonly Placement[];
}

export interface AccessPointReport {
  /** Towards the clients, with all headers, whole load. */
  readonly carriedMbit: number;
  readonly drops: number;
  /** Constant rate only: see {@link LoadPoint}, the mean of the whole load, */
  readonly offeredMbit?: number;
  /** and of its second half, when what was to be placed is placed. */
  readonly offeredInSecondHalfMbit?: number;
}

export interface ClientReport {
  readonly name: string;
  /** On the server that subflowd may steer; else one of the other ISP's. */
  readonly isOurs: boolean;
  readonly goodputMbit: number;
  /** Downloads: how long its own took. */
  readonly completionSeconds?: number;
  /** Constant rate: what came in time of what was sent, 0 to 1, */
  readonly deliveredShare?: number;
  /** and how long datagrams that came were on their way. */
  readonly delayMs?: { readonly median: number; readonly p95: number };
  /** By access point: its part of what carried this client's tunnel, 0 to 1. */
  readonly carriedBy: Readonly<Record<string, number>>;
}

/** As subflowd's log tells it. */
export interface Move {
  readonly seconds: number;
  readonly client: string;
  /** Null where no one path was primary. */
  readonly from: string | null;
  readonly to: string;
}

/** An access point between two samples. */
export interface LoadPoint {
  /** Middle of the interval. */
  readonly seconds: number;
  readonly accessPoint: string;
  /** Sent by its shaped interface towards the clients, with all headers. */
  readonly carriedMbit: number;
  /**
   * Constant rate only: what the clients on it were to get, with all headers, whether it went through or not. A tunnel's TCP
   * backs off, so that this can be seen at no interface: it is the sum over clients of what was sent into the tunnel, times
   * the run's overhead, times the access point's part of what carried that client in this interval.
   */
  readonly offeredMbit?: number;
}

/** A client between two samples. */
export interface Placement {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly client: string;
  /** By access point, 0 to 1; absent where next to nothing came in this interval. */
  readonly carriedBy?: Readonly<Record<string, number>>;
}
