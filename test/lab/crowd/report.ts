import type { Arrangement } from './arrangement.js';
import type { Experience } from './experience.js';
import type { LoadKind } from './load.js';
import type { Relief } from './relief.js';

/** The result of the experiment, `report.json`. Rates are in Mbit/s, times in seconds since the load began. */
export interface CrowdReport {
  /** When the experiment began, ISO 8601. */
  readonly date: string;
  /** Release of the kernel, as `uname -r` prints it. */
  readonly kernel: string;
  readonly openvpn: string;
  /** The congestion control of every TCP connection. */
  readonly congestionControl: string;
  readonly seed: number;
  /** The constant rate of each client, of IP packets in the tunnel. */
  readonly constantMbit: number;
  /** The same in a burst of the changing load. */
  readonly burstMbit: number;
  /** Size of each download. */
  readonly downloadBytes: number;
  /** Whether subflowd was told the capacities of the access points. */
  readonly capacities: 'told' | 'learnt';
  readonly accessPoints: readonly { readonly name: string; readonly capacityMbit: number }[];
  readonly runs: readonly RunReport[];
}

/** One arrangement under one load. */
export interface RunReport {
  readonly load: LoadKind;
  readonly arrangement: Arrangement['letter'];
  readonly title: string;
  readonly seconds: number;
  /** Bytes at the access points, with all headers and retransmissions, for one byte of IP packets out of the tunnels. */
  readonly overhead: number;
  /** How late the experiment's own timers were, the 99th percentile, ms. If it is large, the busy machine limited the rates. */
  readonly latenessMs: number;
  /** By access point. */
  readonly accessPoints: Readonly<Record<string, AccessPointReport>>;
  readonly clients: readonly ClientReport[];
  /** Jain's index of the clients' goodput; 1 if it is the same for all. */
  readonly jain: number;
  /** For how long the radios of ISP A's clients were in use, seconds: the sum over clients and paths. */
  readonly radioSeconds: number;
  /** Rates only: how long an access point was offered more than it can carry; absent: it never was. */
  readonly relief?: Relief;
  /** Moves during the load, without those that placed the clients before it. */
  readonly moves: readonly Move[];
  readonly series: readonly LoadPoint[];
  readonly placements: readonly Placement[];
}

export interface AccessPointReport {
  /** Mean of the whole load, towards the clients, with all headers. */
  readonly carriedMbit: number;
  /** Packets that its queue dropped. */
  readonly drops: number;
  /** Rates only: mean of {@link LoadPoint.offeredMbit} in the whole load. */
  readonly offeredMbit?: number;
  /** Rates only: the same in the second half of the load, when every client has been placed. */
  readonly offeredInSecondHalfMbit?: number;
}

export interface ClientReport {
  readonly name: string;
  /** Whether the client is on the server that subflowd can steer. If not, it is the other ISP's. */
  readonly isOurs: boolean;
  readonly goodputMbit: number;
  /** Downloads: how long the client's own download took. */
  readonly completionSeconds?: number;
  /** Rates: the part of what was sent that arrived in time, 0 to 1. */
  readonly deliveredShare?: number;
  /** Rates: how long the datagrams took that arrived in time. */
  readonly delayMs?: { readonly median: number; readonly p95: number };
  /** Of probes through its tunnel during its load. */
  readonly experience: Experience;
  /** The share of each access point in what carried this client's tunnel, 0 to 1. */
  readonly carriedBy: Readonly<Record<string, number>>;
}

/** A change of a client's primary, from subflowd's log. */
export interface Move {
  readonly seconds: number;
  readonly client: string;
  /** Null if the client had no primary before. */
  readonly from: string | null;
  readonly to: string;
}

/** An access point between two samples. */
export interface LoadPoint {
  /** The middle of the interval. */
  readonly seconds: number;
  readonly accessPoint: string;
  /** What its shaped interface sent towards the clients, with all headers. */
  readonly carriedMbit: number;
  /**
   * Rates only: what was sent to the clients on it, with all headers, delivered or not. No interface shows this,
   * because a tunnel's TCP slows down. It is a sum over all clients. Of each client it has what was sent into its tunnel, times
   * {@link RunReport.overhead}, times the access point's share in what carried the client in this interval.
   */
  readonly offeredMbit?: number;
}

/** A client between two samples. */
export interface Placement {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly client: string;
  /** The share of each access point, 0 to 1; absent if the client received almost nothing in this interval. */
  readonly carriedBy?: Readonly<Record<string, number>>;
}
