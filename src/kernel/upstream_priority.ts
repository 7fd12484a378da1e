import type { Access } from './addon.js';
import { KernelError } from './kernel_error.js';
import type { BitField, Layout } from './layout.js';

const CONTEXT = 'mptcp_subflow_context';

/**
 * Bit fields of `mptcp_subflow_context` that nobody writes once the subflow is established, so that the byte that
 * holds them can be written back as it was read. From net/mptcp/ of 6.1 and 6.12, for a subflow that a server accepted:
 * - request_mptcp, request_join: set while a client connects (mptcp_subflow_create_socket, __mptcp_subflow_connect);
 *   cleared on the client's SYN/ACK or in mptcp_connect.
 * - request_bkup: ours; besides us only mptcp_pm_send_ack, which an admin's `ip mptcp endpoint change` reaches.
 * - mp_capable, mp_join: from the handshake (subflow_finish_connect, subflow_ulp_clone); mp_capable is cleared by
 *   check_fully_established, which does nothing any more once fully_established is set.
 * - fully_established, pm_notified: set once (check_fully_established); both are guards of a byte-wise commit.
 * - conn_finished: set once (subflow_finish_connect, subflow_ulp_clone).
 * Not here, and so never written back: map_valid and its neighbours (every mapping received, get_mapping_status),
 * backup (MP_PRIO received), send_mp_prio (cleared by mptcp_write_options), and every name that is not known.
 */
const QUIET = new Set([
  'request_mptcp',
  'request_join',
  'request_bkup',
  'mp_capable',
  'mp_join',
  'fully_established',
  'pm_notified',
  'conn_finished',
]);

/** Bits to change together: the smallest aligned unit that holds them. */
export interface Unit {
  /** From the context's start, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly width: 1 | 2 | 4;
}

/** Where upstream keeps a subflow's priorities, and how they may be written on this host. */
export interface PriorityBits {
  /** Our wish (`request_bkup`). */
  readonly ours: BitField;
  /** The peer's wish (`backup`). */
  readonly peers: BitField;
  /** Set: the kernel will send MP_PRIO with our wish and clear it. */
  readonly sendMpPrio: BitField;
  /** Must both be set before anything is written; a whole member or a bit field, depending on the kernel's age. */
  readonly settled: readonly BitField[];
  /** Commits to make, in this order: each changes these bits of one unit. */
  readonly commits: readonly { readonly unit: Unit; readonly bits: readonly BitField[] }[];
  /** Why MP_PRIO cannot be asked for; absent if it can. */
  readonly silentBecause?: string;
}

/** @throws {KernelError} if this kernel's structure leaves no safe way to write our wish. */
export function priorityBits(layout: Layout, access: Access): PriorityBits {
  const bits = layout.bitFields(CONTEXT);
  const find = (name: string): BitField => {
    const bit = bits.find((candidate) => candidate.name === name);
    if (!bit) throw new KernelError('layout', `this kernel's struct ${CONTEXT} has no bit ${name}`);
    return bit;
  };
  const [ours, peers, sendMpPrio] = [find('request_bkup'), find('backup'), find('send_mp_prio')];
  const settled = ['fully_established', 'pm_notified'].flatMap((name) => {
    const bit = bits.find((candidate) => candidate.name === name);
    if (bit) return [bit];
    if (!layout.has(CONTEXT, name)) return [];
    const { offset, size } = layout.field(CONTEXT, name);
    return [{ name, bitOffset: offset * 8, bitSize: size * 8 }];
  });
  if (access === 'mapped') {
    const together = unitOf([ours, sendMpPrio]);
    const commits = together
      ? [{ unit: together, bits: [ours, sendMpPrio] }]
      : [ours, sendMpPrio].map((bit) => ({ unit: byteOf(bit), bits: [bit] }));
    return { ours, peers, sendMpPrio, settled, commits };
  }
  const busy = busyNeighbours(bits, ours);
  if (busy.length > 0) {
    throw new KernelError(
      'field',
      `request_bkup shares its byte with ${busy.join(', ')}, which may change meanwhile: it cannot be written byte-wise`,
      'boot with the kernel parameter nopat, so that memory can be mapped',
    );
  }
  const noisy = busyNeighbours(bits, sendMpPrio);
  const silent = noisy.length > 0;
  return {
    ours,
    peers,
    sendMpPrio,
    settled,
    commits: [ours, ...(silent ? [] : [sendMpPrio])].map((bit) => ({ unit: byteOf(bit), bits: [bit] })),
    ...(silent
      ? {
          silentBecause:
            `the client is not told: send_mp_prio shares its byte with ${noisy.join(', ')}; ` +
            'boot with the kernel parameter nopat to tell it',
        }
      : {}),
  };
}

function byteOf(bit: BitField): Unit {
  return { offset: bit.bitOffset >>> 3, width: 1 };
}

/** Other bit fields of the same byte that are not known to be quiet. */
function busyNeighbours(bits: readonly BitField[], wanted: BitField): string[] {
  const byte = wanted.bitOffset >>> 3;
  return bits
    .filter(({ bitOffset, bitSize }) => bitOffset >>> 3 <= byte && (bitOffset + bitSize - 1) >>> 3 >= byte)
    .map(({ name }) => name)
    .filter((name) => name !== wanted.name && !QUIET.has(name));
}

/** The smallest aligned unit of at most four bytes that holds all the bits. */
function unitOf(bits: readonly BitField[]): Unit | undefined {
  const first = Math.min(...bits.map(({ bitOffset }) => bitOffset >>> 3));
  const last = Math.max(...bits.map(({ bitOffset, bitSize }) => (bitOffset + bitSize - 1) >>> 3));
  const width = ([1, 2, 4] as const).find((size) => Math.floor(first / size) === Math.floor(last / size));
  return width === undefined ? undefined : { offset: Math.floor(first / width) * width, width };
}
