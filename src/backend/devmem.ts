import { CommitResult } from '../native/addon.js';
import { isSameEndpoint } from '../model/endpoint.js';
import type { ServerSockets } from '../model/connection.js';
import type { Priority, SubflowName } from '../model/subflow.js';
import { CommitBatch } from '../kernel/commit/commit-batch.js';
import type { GuardSequence, GuardTable } from '../kernel/commit/guard-table.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../kernel/kernel.js';
import { mptcpOf } from '../kernel/walk/mptcp-implementations.js';
import type { MptcpImplementation, Walk } from '../kernel/walk/mptcp-implementation.js';
import type {
  LocatedConnection,
  LocatedConnections,
  LocatedSubflow,
} from '../kernel/walk/subflow-location.js';
import { FdTableReader, type OpenFiles } from '../kernel/walk/fd-table.js';
import type { Backend, NotTried, PriorityRequest, PriorityResult } from './backend.js';
import { FallbackTimes } from './fallback-times.js';
import { groupByConnection, isMade, NOT_TRIED, type ConnectionGroup } from './in-order.js';

/** The last observation of a server. */
interface LastObservation {
  readonly walk: Walk;
  readonly files: OpenFiles;
  readonly connections: readonly LocatedConnection[];
}

/**
 * How often a change is written if the kernel overwrites it. A plain store of the kernel to the same byte can do that (see
 * native/guarded-commit.h), but hardly three times in a row.
 */
const ATTEMPTS = 3;

/** Observes and sets priorities through the memory of the kernel. */
export class DevmemBackend implements Backend {
  readonly name = 'devmem';
  readonly notifiesPeer: boolean;
  readonly #mptcp: MptcpImplementation;
  readonly #fdTables: FdTableReader;
  /** By PID. */
  readonly #last = new Map<number, LastObservation>();
  readonly #committed: PriorityResult;
  readonly #fallbackTimes = new FallbackTimes();

  constructor(private readonly kernel: OpenKernel) {
    this.#mptcp = mptcpOf(kernel);
    this.#fdTables = new FdTableReader(kernel.space, kernel.layout);
    const { cannotNotifyReason } = this.#mptcp.bits;
    this.notifiesPeer = cannotNotifyReason === undefined;
    this.#committed = {
      outcome: 'committed',
      isMpPrioRequested: this.notifiesPeer,
      ...(cannotNotifyReason !== undefined && { reason: cannotNotifyReason }),
    };
  }

  /**
   * @param layout `btf`, or the path of a layout file.
   * @throws {KernelError} if subflowd cannot read and walk this host's kernel, or cannot write it safely.
   */
  static async open(layout: string): Promise<DevmemBackend> {
    const kernel = await openKernel(HOST_SOURCES, { layout });
    try {
      return new DevmemBackend(kernel);
    } catch (error) {
      kernel.memory.close();
      throw error;
    }
  }

  get description(): string {
    return this.kernel.memory.access === 'mapped'
      ? '/dev/mem, mapped: one atomic instruction changes a priority'
      : `/dev/mem, byte-wise: RAM cannot be mapped on this kernel${this.notifiesPeer ? '' : `; ${this.#mptcp.bits.cannotNotifyReason ?? ''}`}`;
  }

  /** How the address translation was proved, for the admin. */
  get proof(): string {
    return this.kernel.proof;
  }

  /** The MPTCP implementation and scheduler of this kernel, and where its layout comes from, for the admin. */
  get kind(): string {
    const { name, bits } = this.#mptcp;
    const honours =
      bits.schedulerHonours === 'both'
        ? "honours our priority and the client's"
        : "honours the client's priority alone (before Linux 6.11 and the stable releases of August 2024): subflowd writes ours there as well";
    return `${name}, whose scheduler ${honours}; layout: ${this.kernel.layoutOrigin}`;
  }

  trackServers(pids: readonly number[]): void {
    for (const pid of this.#last.keys()) if (!pids.includes(pid)) this.#last.delete(pid);
    this.#fallbackTimes.keepOnly(pids);
  }

  async connections(pid: number): Promise<ServerSockets> {
    const { connections, plain, problems } = this.#observe(pid);
    return Promise.resolve({
      connections: connections.map(({ connection }) => connection),
      plain: this.#fallbackTimes.addTo(pid, plain),
      problems,
    });
  }

  setPriorities(requests: readonly PriorityRequest[]): Promise<readonly (PriorityResult | NotTried)[]> {
    // For one request, the arrays of a batch would take longer than its commit.
    const [first] = requests;
    if (first && requests.length === 1) return Promise.resolve([this.#set(first)]);
    const results = new Array<PriorityResult | NotTried>(requests.length).fill(NOT_TRIED);
    const groups = groupByConnection(requests);
    const batch = new CommitBatch(requests.length);
    for (const group of groups) this.#addTo(batch, requests, group);
    batch.run(this.kernel.memory, (index, result) => {
      if (result === CommitResult.changed) results[index] = this.#committed;
      else if (result === CommitResult.unchanged) results[index] = UNCHANGED;
    });
    /** Servers that were observed again. */
    const observed = new Set<number>();
    for (const { next, end } of groups) {
      for (let index = next; index < end; index++) {
        const request = requests[index] as PriorityRequest;
        if (results[index] === NOT_TRIED) results[index] = this.#set(request, observed);
        if (request.priority === 'active' && !isMade(results[index])) break;
      }
    }
    return Promise.resolve(results);
  }

  /** Adds the requests of one connection, up to the first that must be carried out by itself. */
  #addTo(batch: CommitBatch, requests: readonly PriorityRequest[], { next, end }: ConnectionGroup): void {
    let lastActive = -1;
    let table: GuardTable | undefined;
    for (let index = next; index < end; index++) {
      const { name, priority, overridePeer = false } = requests[index] as PriorityRequest;
      const last = this.#last.get(name.pid);
      const located = last && find(last, name);
      const guards = located && this.#guardsOf(name.pid, last, located);
      if (!guards || this.#cannotOverride(priority, located.peers, overridePeer) !== undefined) return;
      // A full table was replaced by another, and a commit can follow only one of its own table.
      if ((table ??= guards.table) !== guards.table) return;
      const changes = this.#mptcp.bits.changes(priority, located.peers, overridePeer);
      const number = batch.add(index, guards, changes, lastActive);
      if (priority === 'active') lastActive = number;
    }
  }

  /**
   * Carries out one request, again if it failed as part of a batch.
   * @param observed the servers that were observed again for this call of {@link setPriorities}.
   */
  #set(request: PriorityRequest, observed = new Set<number>()): PriorityResult {
    const { name } = request;
    const result = this.#commit(request);
    if (result.outcome !== 'gone') return result;
    // The subflow may still exist at another location: a neighbour on its list closed, or the fd table grew.
    this.#last.get(name.pid)?.walk.forgetRemote(name.remote);
    if (observed.has(name.pid)) return result;
    observed.add(name.pid);
    try {
      this.#observe(name.pid);
    } catch {
      return gone('there is no such subflow');
    }
    return this.#commit(request);
  }

  close(): Promise<void> {
    this.#last.clear();
    this.kernel.memory.close();
    return Promise.resolve();
  }

  #observe(pid: number): LocatedConnections {
    const last = this.#last.get(pid);
    const files = this.#fdTables.read(this.kernel.tasks.find(pid), last?.files);
    // If this observation fails, the next one must not compare with it.
    this.#last.delete(pid);
    const walk = last?.walk ?? this.#mptcp.createWalk(pid);
    const result = walk.connections(files);
    this.#last.set(pid, { walk, files, connections: result.connections });
    return result;
  }

  #commit({ name, priority, overridePeer = false }: PriorityRequest): PriorityResult {
    const last = this.#last.get(name.pid);
    const located = last && find(last, name);
    if (!located) return gone('there is no such subflow');
    const guards = this.#guardsOf(name.pid, last, located);
    if (!guards) return gone('the subflow closed');
    const { peers } = located;
    const reason = this.#cannotOverride(priority, peers, overridePeer);
    if (reason !== undefined) return { outcome: 'refused', isMpPrioRequested: false, reason };
    const changes = this.#mptcp.bits.changes(priority, peers, overridePeer);
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const result = this.kernel.memory.commit(guards.table.words, guards.at, changes);
        if (result === CommitResult.changed) return this.#committed;
        if (result === CommitResult.unchanged) return UNCHANGED;
        if (result === CommitResult.overwritten) continue;
        located.guards = undefined;
        return gone(guards.trail.describe(result));
      }
    } catch (error) {
      return { outcome: 'refused', isMpPrioRequested: false, reason: (error as Error).message };
    }
    return {
      outcome: 'refused',
      isMpPrioRequested: false,
      reason: `the kernel overwrote the change ${ATTEMPTS} times`,
    };
  }

  /** Why a request cannot override the peer; undefined if it can, or does not ask for it. */
  #cannotOverride(priority: Priority, peers: Priority, overridePeer: boolean): string | undefined {
    const isOverridden = overridePeer && priority === 'active' && peers === 'backup';
    return isOverridden ? this.#mptcp.bits.cannotOverrideReason : undefined;
  }

  #guardsOf(
    pid: number,
    { walk, files }: LastObservation,
    located: LocatedSubflow,
  ): GuardSequence | undefined {
    if (located.guards) return located.guards;
    const trail = this.#mptcp.trail(pid, files, located);
    const context = this.kernel.space.toPhysical(located.context);
    if (!trail || context === undefined) return undefined;
    return walk.addGuards(located, trail, context);
  }
}

const UNCHANGED: PriorityResult = { outcome: 'unchanged', isMpPrioRequested: false };

function gone(reason: string): PriorityResult {
  return { outcome: 'gone', isMpPrioRequested: false, reason };
}

/** A name usually has the endpoint objects of an observation, which lead to the subflow at once. */
function find({ walk, connections }: LastObservation, name: SubflowName): LocatedSubflow | undefined {
  const byRemote = walk.findByRemote(name.remote);
  if (byRemote && isNamed(byRemote, name)) return byRemote;
  for (const { subflows } of connections) {
    const found = subflows.find((located) => isNamed(located, name));
    if (found) return found;
  }
  return undefined;
}

function isNamed(located: LocatedSubflow, { connection, local, remote }: SubflowName): boolean {
  return (
    isSameEndpoint(located.remote, remote) &&
    isSameEndpoint(located.local, local) &&
    isSameEndpoint(located.connection.remote, connection)
  );
}
