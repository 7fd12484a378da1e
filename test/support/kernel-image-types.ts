import type { Endpoint } from '../../src/model/endpoint.js';

/** A socket for the image; an MPTCP connection if it has subflows. */
export interface ImageSocket {
  /** IPPROTO_TCP by default. Ignored if there are subflows. */
  readonly protocol?: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly state?: number;
  readonly token?: number;
  /** Whether the socket is of AF_INET6, with IPv4 addresses written as v4-mapped ones. */
  readonly mapped?: boolean;
  readonly subflows?: readonly ImageSubflow[];
}

export interface ImageSubflow extends Omit<ImageSocket, 'subflows' | 'protocol'> {
  /** Bit fields to set in addition to those of every established subflow, by the kernel's names. */
  readonly bits?: readonly string[];
}

/** Where a socket lies in the image: virtual addresses. */
export interface Placed {
  readonly sk: bigint;
  /** The structure with the priorities of each subflow. */
  readonly contexts: readonly bigint[];
  readonly socks: readonly bigint[];
  /** For each subflow on the list, the address of the pointer to its node, and the node. */
  readonly links: readonly { readonly link: bigint; readonly node: bigint }[];
}

/** How the memory of the image is arranged, and what the kernel reports about itself. */
export interface ImageOptions {
  /** Bytes of RAM. A smaller image is faster to compare. */
  readonly size?: number;
  /** Distance of the kernel image from its linked address (KASLR), bytes. */
  readonly slide?: bigint;
  readonly directMap?: { readonly base: bigint; readonly levels: 4 | 5 };
  /** Whether the kernel has `page_offset_base`. */
  readonly isRandomised?: boolean;
  /** The contents of /proc/kallsyms: everything, code only (CONFIG_KALLSYMS_ALL=n), or zeros (kptr_restrict). */
  readonly kallsyms?: 'all' | 'code' | 'zeros';
  /** More symbols, with their offsets from the start of the kernel image. */
  readonly symbols?: Readonly<Record<string, bigint>>;
}
