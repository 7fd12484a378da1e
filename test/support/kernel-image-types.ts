import type { Endpoint } from '../../src/model/endpoint.js';

/** A socket to add to the image. With subflows, it is the meta-socket of an MPTCP connection. */
export interface ImageSocket {
  /** IPPROTO_TCP by default. Ignored if there are subflows. */
  readonly protocol?: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The kernel's TCP state (include/net/tcp_states.h); 1, established, by default. */
  readonly state?: number;
  /** The token of the connection (RFC 8684); 0 by default. */
  readonly token?: number;
  /** Whether the socket is of AF_INET6, with IPv4 addresses written as v4-mapped ones. */
  readonly mapped?: boolean;
  readonly subflows?: readonly ImageSubflow[];
}

/** A subflow to add to the image. */
export interface ImageSubflow extends Omit<ImageSocket, 'subflows' | 'protocol'> {
  /** The kernel's names of bit fields to set. Those of every established subflow are set anyway. */
  readonly bits?: readonly string[];
  /** The client's address ID; 0 by default. */
  readonly id?: number;
}

/** The virtual addresses of a socket in the image. */
export interface SocketLocation {
  /** The `struct sock`. */
  readonly sk: bigint;
  /** For each subflow, the structure that has its priorities. */
  readonly contexts: readonly bigint[];
  /** For each subflow, its `struct sock`. */
  readonly socks: readonly bigint[];
  /** For each subflow on the list, the address of the pointer to its node, and the node. */
  readonly links: readonly { readonly link: bigint; readonly node: bigint }[];
}

/** How the memory of the image is arranged, and what the kernel reports about itself. */
export interface ImageOptions {
  /** Size of the RAM, bytes. A smaller image is faster to compare. */
  readonly size?: number;
  /** Distance of the kernel image from its linked address (KASLR), bytes. */
  readonly slide?: bigint;
  readonly directMap?: { readonly base: bigint; readonly levels: 4 | 5 };
  /** Whether the kernel has `page_offset_base`. */
  readonly isRandomised?: boolean;
  /** What /proc/kallsyms has: all symbols, only code (CONFIG_KALLSYMS_ALL=n), or zeros as addresses (kptr_restrict). */
  readonly kallsyms?: 'all' | 'code' | 'zeros';
  /** Additional symbols, with their offsets from the start of the kernel image. */
  readonly symbols?: Readonly<Record<string, bigint>>;
}
