import { CommitResult } from '../kernel/addon.js';
import { formatEndpoint, type Endpoint } from '../endpoint.js';
import { openFiles, type OpenFiles } from '../kernel/files.js';
import { openKernel, type OpenKernel } from '../kernel/kernel.js';
import type { BitField } from '../kernel/layout.js';
import type { Trail } from '../kernel/trail.js';
import { Upstream, type LocatedConnection, type LocatedSubflow } from '../kernel/upstream.js';
import { priorityBits, type PriorityBits } from '../kernel/upstream_priority.js';
import type { Backend, Priority, PriorityResult, ServerSockets, SubflowName } from './backend.js';

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
  readonly #upstream: Upstream;
  readonly #bits: PriorityBits;
  /** By server, then by {@link nameKey}. */
  readonly #known = new Map<number, Map<string, Known>>();

  constructor(private readonly kernel: OpenKernel) {
    this.#bits = priorityBits(kernel.layout, kernel.memory.access);
    this.#upstream = new Upstream(kernel.space, kernel.layout, this.#bits);
    this.tellsPeer = this.#bits.silentBecause === undefined;
  }

  /** @throws {KernelError} if this host's kernel cannot be read, followed or safely written. */
  static async open(): Promise<DevmemBackend> {
    const kernel = await openKernel();
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
      : `/dev/mem, byte-wise: RAM cannot be mapped on this kernel${this.tellsPeer ? '' : `; ${this.#bits.silentBecause ?? ''}`}`;
  }

  /** What proved the way to the kernel's tasks. */
  get proof(): string {
    return this.kernel.proof;
  }

  async connections(pid: number): Promise<ServerSockets> {
    const files = openFiles(this.kernel.space, this.kernel.layout, this.kernel.tasks.find(pid));
    const found = this.#upstream.connections(pid, files);
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

  async setPriority(name: SubflowName, priority: Priority): Promise<PriorityResult> {
    let result = this.#commit(name, priority);
    // The way may have changed and still lead there: a neighbour on the list closed, the fd table grew.
    if (result.outcome === 'gone') {
      try {
        await this.connections(name.pid);
      } catch {
        this.#known.delete(name.pid);
      }
      result = this.#commit(name, priority);
    }
    return result;
  }

  close(): Promise<void> {
    this.#known.clear();
    this.kernel.memory.close();
    return Promise.resolve();
  }

  #commit(name: SubflowName, priority: Priority): PriorityResult {
    const known = this.#known.get(name.pid)?.get(nameKey(name));
    const gone = (reason: string): PriorityResult => ({ outcome: 'gone', peerAsked: false, reason });
    if (!known) return gone('there is no such subflow');
    known.trail ??= this.#upstream.trail(name.pid, known.files, known.located, known.target);
    if (!known.trail) return gone('the subflow closed');
    known.words ??= known.trail.words();
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const changed = this.#commitOnce(known, known.trail, priority);
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
    return this.#bits.silentBecause === undefined ? undefined : { reason: this.#bits.silentBecause };
  }

  /** True if something was changed, false if all was so already, a sentence if a guard did not hold. */
  #commitOnce(known: Known, trail: Trail, priority: Priority): boolean | string {
    let changed = false;
    for (const { unit, bits } of this.#bits.commits) {
      const physical = this.kernel.space.physical(known.target.context + BigInt(unit.offset));
      if (physical === undefined) return 'the subflow closed';
      const maskOf = (bit: BitField) => 1 << (bit.bitOffset - unit.offset * 8);
      const mask = bits.reduce((sum, bit) => sum | maskOf(bit), 0);
      const isSet = (bit: BitField) => bit !== this.#bits.ours || priority === 'backup';
      const value = bits.filter(isSet).reduce((sum, bit) => sum | maskOf(bit), 0);
      const result = this.kernel.memory.commit(
        known.words ?? trail.words(),
        physical,
        unit.width,
        mask >>> 0,
        value >>> 0,
      );
      if (result >= 0) return trail.describe(result);
      changed ||= result === CommitResult.changed;
    }
    return changed;
  }

  #holds(known: Known, priority: Priority): boolean {
    const byte = { offset: this.#bits.ours.bitOffset >>> 3, size: 1 };
    const rows = this.kernel.space.gather(BigUint64Array.of(known.target.context), [byte]);
    return rows.isRead(0) && rows.bit(0, this.#bits.ours.bitOffset) === (priority === 'backup');
  }
}

function nameKey({ connection, local, remote }: SubflowName): string {
  return [connection, local, remote].map((end: Endpoint) => formatEndpoint(end)).join(' ');
}
