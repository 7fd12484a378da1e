import { CommitResult } from '../native/addon.js';
import { isSameEndpoint } from '../model/endpoint.js';
import { familyOf } from '../kernel/walk/families.js';
import type { Family, Found, LocatedConnection, Place, Walk } from '../kernel/walk/family.js';
import { FdTables, isSameTable, type FdTable, type OpenFiles } from '../kernel/walk/files.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../kernel/kernel.js';
import { Ways, type Way } from '../kernel/commit/ways.js';
import type { Backend, PriorityOptions, PriorityResult } from './backend.js';
import type { ServerSockets } from '../model/connection.js';
import type { Priority, SubflowName } from '../model/subflow.js';

/** The last look at a server. */
interface Known {
  readonly walk: Walk;
  readonly files: OpenFiles;
  /** The same object as long as the fd table is the same. */
  readonly table: FdTable;
  readonly connections: readonly LocatedConnection[];
}

/** A kernel's plain store may win the race for a byte (see native/guarded-commit.h); it does not win three times. */
const ATTEMPTS = 3;

/** Sees and sets priorities through the kernel's memory. */
export class DevmemBackend implements Backend {
  readonly name = 'devmem';
  readonly tellsPeer: boolean;
  readonly #family: Family;
  readonly #tables: FdTables;
  readonly #known = new Map<number, Known>();
  readonly #ways = new Ways();
  readonly #committed: PriorityResult;

  constructor(private readonly kernel: OpenKernel) {
    this.#family = familyOf(kernel);
    this.#tables = new FdTables(kernel.space, kernel.layout);
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
    this.#known.get(name.pid)?.walk.forget(name.remote);
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
    const last = this.#known.get(pid);
    const files = this.#tables.of(this.kernel.tasks.find(pid), last?.files);
    // a look that ends half-way is none to compare the next one with
    this.#known.delete(pid);
    const walk = last?.walk ?? this.#family.walk(pid);
    const found = walk.connections(files);
    const { connections } = found;
    this.#known.set(pid, {
      walk,
      files,
      table: last && isSameTable(last.table, files) ? last.table : files,
      connections,
    });
    return found;
  }

  #commit(name: SubflowName, priority: Priority, overridePeer: boolean): PriorityResult {
    const known = this.#known.get(name.pid);
    const place = known && find(known, name);
    if (!place) return gone('there is no such subflow');
    const way = this.#wayTo(name.pid, known, place);
    if (!way) return gone('the subflow closed');
    const { bits } = this.#family;
    const { peers } = place;
    const isHeldBack = priority === 'active' && peers === 'backup';
    if (isHeldBack && overridePeer && bits.peersFixedBecause !== undefined) {
      return { outcome: 'refused', peerAsked: false, reason: bits.peersFixedBecause };
    }
    const changes = bits.changes(priority, peers, overridePeer);
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const result = this.kernel.memory.commit(this.#ways.words, way.at, changes);
        if (result === CommitResult.changed) return this.#committed;
        if (result === CommitResult.heldAlready) return { outcome: 'unchanged', peerAsked: false };
        if (result === CommitResult.undone) continue;
        place.way = undefined;
        return gone(way.trail.describe(result));
      }
    } catch (error) {
      return { outcome: 'refused', peerAsked: false, reason: (error as Error).message };
    }
    return { outcome: 'refused', peerAsked: false, reason: `the kernel undid the change ${ATTEMPTS} times` };
  }

  #wayTo(pid: number, { files, table }: Known, place: Place): Way | undefined {
    if (place.way?.table === table) return place.way;
    const trail = this.#family.trail(pid, files, place);
    const context = this.kernel.space.physical(place.context);
    if (!trail || context === undefined) return undefined;
    return (place.way = this.#ways.add(trail, context, table));
  }
}

function gone(reason: string): PriorityResult {
  return { outcome: 'gone', peerAsked: false, reason };
}

/** Most names are made of what a look gave, whose ends lead back at once; others are compared with all. */
function find({ walk, connections }: Known, name: SubflowName): Place | undefined {
  const one = walk.placeAt(name.remote);
  if (one && isNamed(one, name)) return one;
  for (const { subflows } of connections) {
    const named = subflows.find(({ place }) => isNamed(place, name));
    if (named) return named.place;
  }
  return undefined;
}

function isNamed(place: Place, { connection, local, remote }: SubflowName): boolean {
  return (
    isSameEndpoint(place.remote, remote) &&
    isSameEndpoint(place.local, local) &&
    isSameEndpoint(place.connection.remote, connection)
  );
}
