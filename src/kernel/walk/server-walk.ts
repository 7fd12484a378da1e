import type { PlainPeer } from '../../model/connection.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { GuardSequence } from '../commit/guard-table.js';
import type { PriorityBits } from '../commit/priority-bits.js';
import type { Trail } from '../commit/trail.js';
import type { Layout } from '../layout/layout.js';
import type { AddressSpace } from '../memory/address-space.js';
import { ReadSet } from '../memory/read-set.js';
import { ConnectionBuilder } from './connection-builder.js';
import { CounterTable } from './counter-table.js';
import type { Walk } from './mptcp-implementation.js';
import type { LocatedConnections, LocatedSubflow } from './subflow-location.js';
import type { OpenFiles } from './fd-table.js';
import type { WalkResult } from './walk-result.js';

/**
 * Observes one server again and again. Usually nothing but counters changed since the last observation. Then one native call
 * reports this, and no pointer is followed.
 */
export abstract class ServerWalk implements Walk {
  /** Reads everything except counters. */
  protected readonly readSet: ReadSet;
  protected readonly counters: CounterTable;
  readonly #builder: ConnectionBuilder;
  #last: { readonly files: OpenFiles; readonly result: LocatedConnections } | undefined;

  constructor(
    space: AddressSpace,
    layout: Layout,
    bits: PriorityBits,
    protected readonly pid: number,
  ) {
    this.readSet = new ReadSet(space);
    this.counters = new CounterTable(space, layout);
    this.#builder = new ConnectionBuilder(pid, bits.schedulerHonours);
  }

  findByRemote(remote: Endpoint): LocatedSubflow | undefined {
    return this.#builder.findByRemote(remote);
  }

  forgetRemote(remote: Endpoint): void {
    this.#builder.forgetRemote(remote);
  }

  addGuards(located: LocatedSubflow, trail: Trail, target: bigint): GuardSequence {
    return this.#builder.addGuards(located, trail, target);
  }

  connections(files: OpenFiles): LocatedConnections {
    const last = this.#last;
    // If this observation fails, the next one must not compare with it.
    this.#last = undefined;
    // All guards lead through the fd table. Without this, the next commit to each subflow would fail and walk again.
    if (last?.files.table !== files.table) this.#builder.dropGuards();
    const isUnchanged = last?.files === files && this.readSet.isUnchanged();
    if (isUnchanged && this.counters.readAgain()) this.#builder.updateCounters(this.counters);
    const result = isUnchanged ? last.result : this.#walkAgain(files);
    this.#last = { files, result };
    return result;
  }

  /**
   * Follows every pointer.
   * @param problems receives a message for each socket that cannot be read.
   * @param plain receives the plain TCP connections.
   */
  protected abstract walk(files: OpenFiles, problems: string[], plain: PlainPeer[]): WalkResult;

  #walkAgain(files: OpenFiles): LocatedConnections {
    const problems: string[] = [];
    const plain: PlainPeer[] = [];
    this.readSet.clear();
    return this.#builder.build(this.walk(files, problems, plain), problems, plain);
  }
}
