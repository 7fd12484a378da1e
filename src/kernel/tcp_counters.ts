import type { Subflow } from '../backend/backend.js';
import type { AddressSpace } from './address_space.js';
import type { Field, Layout } from './layout.js';

/** What a TCP socket says of its way and its traffic. */
export type Counters = Pick<Subflow, 'rtt' | 'bytesAcked' | 'bytesReceived' | 'retransmitted'>;

const SOCK = 'tcp_sock';

/**
 * Reads counters of `tcp_sock`, in both families, as `tcp_get_info` does (net/ipv4/tcp.c): `srtt_us` since Linux 3.15,
 * `bytes_acked` and `bytes_received` since 4.1. What a kernel does not have, or a layout that was made before they were
 * asked for, is not told.
 */
export class TcpCounters {
  readonly #fields: readonly Field[];
  readonly #srtt: Field | undefined;
  readonly #acked: Field | undefined;
  readonly #received: Field | undefined;
  readonly #retransmitted: Field | undefined;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
  ) {
    const field = (member: string) => (layout.has(SOCK, member) ? layout.field(SOCK, member) : undefined);
    this.#srtt = field('srtt_us');
    this.#acked = field('bytes_acked');
    this.#received = field('bytes_received');
    this.#retransmitted = field('total_retrans');
    const all = [this.#srtt, this.#acked, this.#received, this.#retransmitted];
    this.#fields = all.filter((one) => one !== undefined);
  }

  /** Of all these sockets in one pass; the function takes the row of one. */
  read(socks: BigUint64Array): (row: number) => Counters {
    if (this.#fields.length === 0) return () => ({});
    const rows = this.space.gather(socks, this.#fields);
    const [srtt, acked, received, retransmitted] = [
      this.#srtt,
      this.#acked,
      this.#received,
      this.#retransmitted,
    ];
    return (row) =>
      rows.isRead(row)
        ? {
            // kept eightfold (tcp_rtt_estimator)
            ...(srtt && { rtt: rows.u32(row, srtt) >>> 3 }),
            ...(acked && { bytesAcked: Number(rows.u64(row, acked)) }),
            ...(received && { bytesReceived: Number(rows.u64(row, received)) }),
            ...(retransmitted && { retransmitted: rows.u32(row, retransmitted) }),
          }
        : {};
  }
}
