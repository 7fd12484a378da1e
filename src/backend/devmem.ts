import { CommitResult } from '../kernel/addon.js';
import { isSameEndpoint } from '../endpoint.js';
import { familyOf } from '../kernel/families.js';
import type { Family, Found, LocatedConnection, LocatedSubflow, Place, Walk } from '../kernel/family.js';
import { openFiles, type FdTable, type OpenFiles } from '../kernel/files.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../kernel/kernel.js';
import { changeWords, type Commit } from '../kernel/priority_bits.js';
import type { Trail } from '../kernel/trail.js';
import type {
  Backend,
  Priority,
  PriorityOptions,
  PriorityResult,
  ServerSockets,
  SubflowName,
} from './backend.js';

/** The last look at a server. */
interface Known {
  readonly walk: Walk;
  readonly files: OpenFiles;
  readonly connections: readonly LocatedConnection[];
  /** By address and port of the meta-socket's peer, which ones; made when it is needed, kept while it is right. */
  byPeer: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>> | undefined;
  readonly ways: WeakMap<Place, Way>;
}

/** What a commit needs of a subflow; it holds as long as its guards do, so that later looks keep it. */
interface Way {
  readonly trail: Trail;
  readonly words: BigUint64Array;
  /** Physical address of the structure that holds the priorities. */
  readonly context: bigint;
  /** What each list of commits changes, once it was needed. */
  readonly changes: Map<readonly Commit[], BigUint64Array>;
}

/** A kernel's plain store may win the race for a byte (see native/guarded_commit.h); it does not win three times. */
const ATTEMPTS = 3;

/** Sees and sets priorities through the kernel's memory. */
export class DevmemBackend implements Backend {
  readonly name = 'devmem';
  readonly tellsPeer: boolean;
  readonly #family: Family;
  readonly #known = new Map<number, Known>();
  readonly #committed: PriorityResult;

  constructor(private readonly kernel: OpenKernel) {
    this.#family = familyOf(kernel);
    const { silentBecause } = this.#family.bits;
    this.tellsPeer = silentBecause === undefined;
    this.#committed = {
      outcome: 'committed',
      peerAsked: this.tellsPeer,
      ...(silentBecause !== undefined && { reason: silentBecause }),
    };
  }

  /**
   * @param layout `btf`, or a layout's file.
   * @throws {KernelError} if this host's kernel cannot be read, followed or safely written.
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
      ? '/dev/mem, mapped: priorities are changed by one atomic instruction'
      : `/dev/mem, byte-wise: RAM cannot be mapped on this kernel${this.tellsPeer ? '' : `; ${this.#family.bits.silentBecause ?? ''}`}`;
  }

  /** What proved the way to the kernel's tasks. */
  get proof(): string {
    return this.kernel.proof;
  }

  /** Which structures and which scheduler this kernel was taken to have. */
  get kind(): string {
    const { name, bits } = this.#family;
    const asks =
      bits.heeds === 'either'
        ? "asks our wish and the client's"
        : "asks the client's wish alone (before Linux 6.11 and the stable releases of August 2024): ours is written there as well";
    return `${name}, whose scheduler ${asks}; layout: ${this.kernel.origin}`;
  }

  attend(pids: readonly number[]): void {
    for (const pid of this.#known.keys()) if (!pids.includes(pid)) this.#known.delete(pid);
  }

  async connections(pid: number): Promise<ServerSockets> {
    const { connections, plain, problems } = this.#look(pid);
    return Promise.resolve({
      connections: connections.map(({ connection }) => connection),
      plain,
      problems,
    });
  }

  setPriority(
    name: SubflowName,
    priority: Priority,
    { overridePeer = false }: PriorityOptions = {},
  ): Promise<PriorityResult> {
    const result = this.#commit(name, priority, overridePeer);
    if (result.outcome !== 'gone') return Promise.resolve(result);
    // The way may have changed and still lead there: a neighbour on the list closed, the fd table grew.
    try {
      this.#look(name.pid);
    } catch {
      return Promise.resolve(gone('there is no such subflow'));
    }
    return Promise.resolve(this.#commit(name, priority, overridePeer));
  }

  close(): Promise<void> {
    this.#known.clear();
    this.kernel.memory.close();
    return Promise.resolve();
  }

  #look(pid: number): Found {
    const files = openFiles(this.kernel.space, this.kernel.layout, this.kernel.tasks.find(pid));
    const last = this.#known.get(pid);
    // a look that ends half-way is none to compare the next one with
    this.#known.delete(pid);
    const walk = last?.walk ?? this.#family.walk(pid);
    const found = walk.connections(files);
    const { connections } = found;
    this.#known.set(pid, {
      walk,
      files,
      connections,
      byPeer: last?.byPeer && hasSamePeers(last.connections, connections) ? last.byPeer : undefined,
      ways: last && isSameTable(last.files, files) ? last.ways : new WeakMap(),
    });
    return found;
  }

  #commit(name: SubflowName, priority: Priority, overridePeer: boolean): PriorityResult {
    const known = this.#known.get(name.pid);
    const found = known && find(known, name);
    if (!found) return gone('there is no such subflow');
    const { located, target } = found;
    const way = this.#wayTo(name.pid, known, located, target);
    if (!way) return gone('the subflow closed');
    const { bits } = this.#family;
    const { peers } = target.subflow;
    const isHeldBack = priority === 'active' && peers === 'backup';
    if (isHeldBack && overridePeer && bits.peersFixedBecause !== undefined) {
      return { outcome: 'refused', peerAsked: false, reason: bits.peersFixedBecause };
    }
    const commits = bits.commits(priority, { peers, overridePeer });
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const result = this.kernel.memory.commit(way.words, changesOf(way, commits));
        if (result === CommitResult.changed) return this.#committed;
        if (result === CommitResult.heldAlready) return { outcome: 'unchanged', peerAsked: false };
        if (result === CommitResult.undone) continue;
        known.ways.delete(target.place);
        return gone(way.trail.describe(result));
      }
    } catch (error) {
      return { outcome: 'refused', peerAsked: false, reason: (error as Error).message };
    }
    return { outcome: 'refused', peerAsked: false, reason: `the kernel undid the change ${ATTEMPTS} times` };
  }

  #wayTo(
    pid: number,
    { files, ways }: Known,
    located: LocatedConnection,
    target: LocatedSubflow,
  ): Way | undefined {
    const { place } = target;
    const known = ways.get(place);
    if (known) return known;
    const trail = this.#family.trail(pid, files, located, target);
    const context = this.kernel.space.physical(place.context);
    if (!trail || context === undefined) return undefined;
    const way: Way = { trail, words: trail.words(), context, changes: new Map() };
    ways.set(place, way);
    return way;
  }
}

function gone(reason: string): PriorityResult {
  return { outcome: 'gone', peerAsked: false, reason };
}

function changesOf({ context, changes }: Way, commits: readonly Commit[]): BigUint64Array {
  const known = changes.get(commits);
  if (known) return known;
  const made = changeWords(commits, context);
  changes.set(commits, made);
  return made;
}

/** A client can use one port for several connections, to several addresses of the server. */
function find(
  known: Known,
  { connection, local, remote }: SubflowName,
): { located: LocatedConnection; target: LocatedSubflow } | undefined {
  known.byPeer ??= indexByPeer(known.connections);
  for (const index of known.byPeer.get(connection.address)?.get(connection.port) ?? []) {
    const located = known.connections[index] as LocatedConnection;
    const target = located.subflows.find(
      ({ subflow }) => isSameEndpoint(subflow.remote, remote) && isSameEndpoint(subflow.local, local),
    );
    if (target) return { located, target };
  }
  return undefined;
}

function indexByPeer(connections: readonly LocatedConnection[]): Map<string, Map<number, number[]>> {
  const byPeer = new Map<string, Map<number, number[]>>();
  for (const [index, { connection }] of connections.entries()) {
    const { address, port } = connection.remote;
    const byPort = byPeer.get(address) ?? new Map<number, number[]>();
    byPeer.set(address, byPort.set(port, [...(byPort.get(port) ?? []), index]));
  }
  return byPeer;
}

function hasSamePeers(ones: readonly LocatedConnection[], others: readonly LocatedConnection[]): boolean {
  return (
    ones.length === others.length &&
    ones.every((one, index) => {
      const other = others[index];
      return one === other || one.connection.remote === other?.connection.remote;
    })
  );
}

function isSameTable(one: FdTable, other: FdTable): boolean {
  return (['task', 'files', 'fdt', 'array'] as const).every((key) => one[key] === other[key]);
}
