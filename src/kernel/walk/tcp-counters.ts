import type { Subflow } from '../../model/subflow.js';
import type { AddressSpace } from '../memory/address-space.js';
import { Column } from '../memory/column.js';
import type { Layout } from '../layout/layout.js';
import { Shape, type Slot } from '../memory/shape.js';

/** A subflow, but for what its TCP socket says of its way and its traffic. */
export type Uncounted = Pick<Subflow, 'local' | 'remote' | 'ours' | 'peers' | 'mpPrioPending'>;

const SOCK = 'tcp_sock';

/**
 * Counters of `tcp_sock`, in both families, as `tcp_get_info` has them (net/ipv4/tcp.c): `srtt_us` since Linux 3.15,
 * `bytes_acked` and `bytes_received` since 4.1. What a kernel does not have, or a layout that was made before they were
 * asked for, is not told.
 */
export class TcpCounters {
  /** Undefined if this kernel has no counters. */
  readonly #column: Column | undefined;
  readonly #shape = new Shape();
  readonly #srtt: Slot | undefined;
  readonly #acked: Slot | undefined;
  readonly #received: Slot | undefined;
  readonly #retransmitted: Slot | undefined;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
  ) {
    const add = (member: string) =>
      layout.has(SOCK, member) ? this.#shape.add(layout.field(SOCK, member)) : undefined;
    this.#srtt = add('srtt_us');
    this.#acked = add('bytes_acked');
    this.#received = add('bytes_received');
    this.#retransmitted = add('total_retrans');
    if (this.#shape.words > 1) this.#column = new Column(this.#shape);
  }

  /** Those of all these sockets. */
  read(socks: BigUint64Array): void {
    if (this.#column) this.space.gather(socks, this.#shape, this.#column);
  }

  /** Those of the same sockets. Returns whether any may not be as it was. */
  readAgain(): boolean {
    return this.#column !== undefined && this.space.gatherAgain(this.#column);
  }

  /** Whether they are as they were in the last pass. */
  isSame(row: number): boolean {
    return this.#column?.isSame(row) ?? true;
  }

  /** A subflow with those of its socket. */
  of({ local, remote, ours, peers, mpPrioPending }: Uncounted, row: number): Subflow {
    const column = this.#column;
    if (!column?.isRead(row)) return { local, remote, ours, peers, mpPrioPending };
    const srtt = this.#srtt;
    const acked = this.#acked;
    const received = this.#received;
    const retransmitted = this.#retransmitted;
    const isAll =
      srtt !== undefined && acked !== undefined && received !== undefined && retransmitted !== undefined;
    if (isAll) {
      // written out, since all are made anew where all of a server's subflows are busy
      return {
        local,
        remote,
        ours,
        peers,
        mpPrioPending,
        rtt: rtt(column.u32(row, srtt)),
        bytesAcked: column.count(row, acked),
        bytesReceived: column.count(row, received),
        retransmitted: column.u32(row, retransmitted),
      };
    }
    return {
      ...{ local, remote, ours, peers, mpPrioPending },
      ...(srtt !== undefined && { rtt: rtt(column.u32(row, srtt)) }),
      ...(acked !== undefined && { bytesAcked: column.count(row, acked) }),
      ...(received !== undefined && { bytesReceived: column.count(row, received) }),
      ...(retransmitted !== undefined && { retransmitted: column.u32(row, retransmitted) }),
    };
  }
}

/** Kept eightfold (tcp_rtt_estimator). */
function rtt(srtt: number): number {
  return srtt >>> 3;
}
