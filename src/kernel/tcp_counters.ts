import type { Subflow } from '../backend/backend.js';
import { Column } from './column.js';
import type { Layout } from './layout.js';
import { Shape, type Slot } from './shape.js';

/** What a TCP socket says of its way and its traffic. */
export type Counters = Pick<Subflow, 'rtt' | 'bytesAcked' | 'bytesReceived' | 'retransmitted'>;

const SOCK = 'tcp_sock';

/**
 * Counters of `tcp_sock`, in both families, as `tcp_get_info` has them (net/ipv4/tcp.c): `srtt_us` since Linux 3.15,
 * `bytes_acked` and `bytes_received` since 4.1. What a kernel does not have, or a layout that was made before they were
 * asked for, is not told.
 */
export class TcpCounters {
  /** To be read beside the sockets' ends; undefined if this kernel has no counters. */
  readonly column: Column | undefined;
  readonly #srtt: Slot | undefined;
  readonly #acked: Slot | undefined;
  readonly #received: Slot | undefined;
  readonly #retransmitted: Slot | undefined;

  constructor(layout: Layout) {
    const shape = new Shape();
    const add = (member: string) =>
      layout.has(SOCK, member) ? shape.add(layout.field(SOCK, member)) : undefined;
    this.#srtt = add('srtt_us');
    this.#acked = add('bytes_acked');
    this.#received = add('bytes_received');
    this.#retransmitted = add('total_retrans');
    const all = [this.#srtt, this.#acked, this.#received, this.#retransmitted];
    if (all.some((slot) => slot !== undefined)) this.column = new Column(shape);
  }

  /** Whether they are as they were in the last pass. */
  isSame(row: number): boolean {
    return this.column?.isSame(row) ?? true;
  }

  /** Those of one socket. */
  of(row: number): Counters {
    const { column } = this;
    if (!column?.isRead(row)) return {};
    const srtt = this.#srtt;
    const acked = this.#acked;
    const received = this.#received;
    const retransmitted = this.#retransmitted;
    const counters: { -readonly [Name in keyof Counters]: Counters[Name] } = {};
    // kept eightfold (tcp_rtt_estimator)
    if (srtt !== undefined) counters.rtt = column.u32(row, srtt) >>> 3;
    if (acked !== undefined) counters.bytesAcked = column.count(row, acked);
    if (received !== undefined) counters.bytesReceived = column.count(row, received);
    if (retransmitted !== undefined) counters.retransmitted = column.u32(row, retransmitted);
    return counters;
  }
}
