import type { Subflow } from '../../model/subflow.js';
import { TCP_COUNTERS, type TcpCounterName } from '../../model/tcp-counters.js';
import type { Layout } from '../layout/layout.js';
import type { AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type Slot } from '../memory/field-selection.js';
import { FieldTable } from '../memory/field-table.js';

/** A subflow without the counters of its TCP socket. */
export type SubflowWithoutCounters = Pick<
  Subflow,
  'local' | 'remote' | 'ours' | 'peers' | 'mpPrioPending' | 'id'
>;

type TcpSockCounterName = {
  [Name in TcpCounterName]: (typeof TCP_COUNTERS)[Name] extends { tcpSock: unknown } ? Name : never;
}[TcpCounterName];

const SOCK = 'tcp_sock';

/** Where a row has a counter. */
interface Counter {
  readonly slot: Slot;
  /** Bytes: 1, 4 or 8. */
  readonly size: number;
  readonly shift: number;
}

/**
 * The counters of many subflows, from `tcp_sock`. A counter is left out if the kernel does not have it, or if the layout was
 * made before subflowd read it.
 */
export class CounterTable {
  /** Undefined if the kernel has no counters. */
  readonly #table: FieldTable | undefined;
  readonly #selection = new FieldSelection();
  readonly #counters: readonly (Counter & { readonly name: TcpCounterName })[];
  /** Undefined if the kernel lacks some. */
  readonly #allCounters: Readonly<Record<TcpSockCounterName, Counter>> | undefined;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
  ) {
    const available = Object.entries(TCP_COUNTERS).flatMap(([name, counter]) =>
      'tcpSock' in counter ? [{ name: name as TcpCounterName, ...counter.tcpSock }] : [],
    );
    this.#counters = available
      .filter(({ member }) => layout.has(SOCK, member))
      .map(({ name, member, shift }) => {
        const field = layout.field(SOCK, member);
        return { name, slot: this.#selection.add(field), size: field.size, shift };
      });
    if (this.#counters.length === available.length) {
      const byName = this.#counters.map((counter) => [counter.name, counter] as const);
      this.#allCounters = Object.fromEntries(byName) as unknown as Record<TcpSockCounterName, Counter>;
    }
    if (this.#counters.length > 0) this.#table = new FieldTable(this.#selection);
  }

  /** Reads the counters of these sockets. */
  read(socks: BigUint64Array): void {
    if (this.#table) this.space.gather(socks, this.#selection, this.#table);
  }

  /** Reads the counters of the same sockets again. Returns whether any of them changed. */
  readAgain(): boolean {
    return this.#table !== undefined && this.space.gatherAgain(this.#table);
  }

  /** See {@link FieldTable.isUnchanged}. */
  isUnchanged(row: number): boolean {
    return this.#table?.isUnchanged(row) ?? true;
  }

  /** Returns a copy of the subflow with the counters of one row. */
  addTo(subflow: SubflowWithoutCounters, row: number): Subflow {
    const [table, all] = [this.#table, this.#allCounters];
    if (!table?.isRead(row)) return withoutCounters(subflow);
    if (all === undefined) {
      const some = this.#counters.map((counter) => [counter.name, valueOf(table, row, counter)] as const);
      const counters = Object.fromEntries(some) as Partial<Record<TcpCounterName, number>>;
      return { ...withoutCounters(subflow), ...counters };
    }
    const rtt = valueOf(table, row, all.rtt);
    const bytesAcked = valueOf(table, row, all.bytesAcked);
    const bytesReceived = valueOf(table, row, all.bytesReceived);
    const retransmitted = valueOf(table, row, all.retransmitted);
    const unacked = valueOf(table, row, all.unacked);
    const backoff = valueOf(table, row, all.backoff);
    // With literals a subflow takes about 30 ns, with a loop over the table and spreads several microseconds. The compiler
    // demands a line here for each counter of the table.
    const { local, remote, ours, peers, mpPrioPending, id } = subflow;
    // prettier-ignore
    const withoutId = { local, remote, ours, peers, mpPrioPending, rtt, bytesAcked, bytesReceived, retransmitted, unacked, backoff } satisfies Subflow & Record<TcpSockCounterName, number>;
    if (id === undefined) return withoutId;
    // prettier-ignore
    return { local, remote, ours, peers, mpPrioPending, id, rtt, bytesAcked, bytesReceived, retransmitted, unacked, backoff };
  }
}

function withoutCounters({
  local,
  remote,
  ours,
  peers,
  mpPrioPending,
  id,
}: SubflowWithoutCounters): SubflowWithoutCounters {
  return { local, remote, ours, peers, mpPrioPending, ...(id !== undefined && { id }) };
}

function valueOf(table: FieldTable, row: number, { slot, size, shift }: Counter): number {
  if (size === 8) return table.count(row, slot);
  return (size === 1 ? table.u8(row, slot) : table.u32(row, slot)) >>> shift;
}
