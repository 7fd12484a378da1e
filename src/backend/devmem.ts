import { CommitResult } from '../kernel/addon.js';
import { formatEndpoint, type Endpoint } from '../endpoint.js';
import { familyOf } from '../kernel/families.js';
import type { Family, LocatedConnection, LocatedSubflow } from '../kernel/family.js';
import { openFiles, type OpenFiles } from '../kernel/files.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../kernel/kernel.js';
import { bytesOf } from '../kernel/layout.js';
import type { Commit } from '../kernel/priority_bits.js';
import type { Trail } from '../kernel/trail.js';
import type {
  Backend,
  Priority,
  PriorityOptions,
  PriorityResult,
  ServerSockets,
  SubflowName,
} from './backend.js';

/** A subflow found by the last look at its server, and its trail once it was needed. */
interface Known {
  readonly files: OpenFiles;
  readonly located: LocatedConnection;
  readonly target: LocatedSubflow;
  trail?: Trail | undefined;
  words?: BigUint64Array;
}

/** A kernel's plain store may win the race for a byte (see native/guarded_commit.h); it does not win three times. */
const ATTEMPTS = 3;

/** Sees and sets priorities through the kernel's memory. */
export class DevmemBackend implements Backend {
  readonly name = 'devmem';
  readonly tellsPeer: boolean;
  readonly #family: Family;
  /** By server, then by {@link nameKey}. */
  readonly #known = new Map<number, Map<string, Known>>();

  constructor(private readonly kernel: OpenKernel) {
    this.#family = familyOf(kernel);
    this.tellsPeer = this.#family.bits.silentBecause === undefined;
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

  async connections(pid: number): Promise<ServerSockets> {
    const files = openFiles(this.kernel.space, this.kernel.layout, this.kernel.tasks.find(pid));
    const found = this.#family.connections(pid, files);
    const known = new Map<string, Known>();
    for (const located of found.connections) {
      for (const target of located.subflows) {
        const { local, remote } = target.subflow;
        known.set(nameKey({ pid, connection: located.connection.remote, local, remote }), {
          files,
          located,
          target,
        });
      }
    }
    this.#known.set(pid, known);
    const { plain, problems } = found;
    return Promise.resolve({
      connections: found.connections.map(({ connection }) => connection),
      plain,
      problems,
    });
  }

  async setPriority(
    name: SubflowName,
    priority: Priority,
    { overridePeer = false }: PriorityOptions = {},
  ): Promise<PriorityResult> {
    let result = this.#commit(name, priority, overridePeer);
    // The way may have changed and still lead there: a neighbour on the list closed, the fd table grew.
    if (result.outcome === 'gone') {
      try {
        await this.connections(name.pid);
      } catch {
        this.#known.delete(name.pid);
      }
      result = this.#commit(name, priority, overridePeer);
    }
    return result;
  }

  close(): Promise<void> {
    this.#known.clear();
    this.kernel.memory.close();
    return Promise.resolve();
  }

  #commit(name: SubflowName, priority: Priority, overridePeer: boolean): PriorityResult {
    const known = this.#known.get(name.pid)?.get(nameKey(name));
    const gone = (reason: string): PriorityResult => ({ outcome: 'gone', peerAsked: false, reason });
    if (!known) return gone('there is no such subflow');
    known.trail ??= this.#family.trail(name.pid, known.files, known.located, known.target);
    if (!known.trail) return gone('the subflow closed');
    known.words ??= known.trail.words();
    const { bits } = this.#family;
    const isHeldBack = priority === 'active' && known.target.subflow.peers === 'backup';
    if (isHeldBack && overridePeer && bits.peersFixedBecause !== undefined) {
      return { outcome: 'refused', peerAsked: false, reason: bits.peersFixedBecause };
    }
    const commits = bits.commits(priority, { peers: known.target.subflow.peers, overridePeer });
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const changed = this.#commitOnce(known, known.trail, commits);
        if (typeof changed === 'string') return gone(changed);
        if (!changed) return { outcome: 'unchanged', peerAsked: false };
        if (this.#holds(known, priority))
          return { outcome: 'committed', peerAsked: this.tellsPeer, ...this.#silence() };
      }
    } catch (error) {
      return { outcome: 'refused', peerAsked: false, reason: (error as Error).message };
    }
    return { outcome: 'refused', peerAsked: false, reason: `the kernel undid the change ${ATTEMPTS} times` };
  }

  #silence(): { reason: string } | undefined {
    const { silentBecause } = this.#family.bits;
    return silentBecause === undefined ? undefined : { reason: silentBecause };
  }

  /** True if something was changed, false if all was so already, a sentence if a guard did not hold. */
  #commitOnce(known: Known, trail: Trail, commits: readonly Commit[]): boolean | string {
    let changed = false;
    for (const { offset, width, mask, value } of commits) {
      const physical = this.kernel.space.physical(known.target.context + BigInt(offset));
      if (physical === undefined) return 'the subflow closed';
      const result = this.kernel.memory.commit(known.words ?? trail.words(), physical, width, mask, value);
      if (result >= 0) return trail.describe(result);
      changed ||= result === CommitResult.changed;
    }
    return changed;
  }

  #holds(known: Known, priority: Priority): boolean {
    const { ours } = this.#family.bits;
    const rows = this.kernel.space.gather(BigUint64Array.of(known.target.context), [bytesOf(ours)]);
    return rows.isRead(0) && rows.bit(0, ours.bitOffset) === (priority === 'backup');
  }
}

function nameKey({ connection, local, remote }: SubflowName): string {
  return [connection, local, remote].map((end: Endpoint) => formatEndpoint(end)).join(' ');
}
