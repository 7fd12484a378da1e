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
  way?: Way | undefined;
}

/** What a commit needs of a subflow; it holds as long as its guards do, so that later looks keep it. */
interface Way {
  readonly trail: Trail;
  readonly words: BigUint64Array;
  /** Physical address of the structure that holds the priorities. */
  readonly context: bigint;
}

/** A kernel's plain store may win the race for a byte (see native/guarded_commit.h); it does not win three times. */
const ATTEMPTS = 3;

/** Sees and sets priorities through the kernel's memory. */
export class DevmemBackend implements Backend {
  readonly name = 'devmem';
  readonly tellsPeer: boolean;
  readonly #family: Family;
  /** By server, then by the client's end of the subflow; a client can use one port for several of its subflows. */
  readonly #known = new Map<number, Map<string, Known[]>>();
  /** The bytes of our wish as they are read back. */
  readonly #readBack: Uint8Array;

  constructor(private readonly kernel: OpenKernel) {
    this.#family = familyOf(kernel);
    this.tellsPeer = this.#family.bits.silentBecause === undefined;
    this.#readBack = new Uint8Array(bytesOf(this.#family.bits.ours).size);
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
    const before = this.#known.get(pid);
    const known = new Map<string, Known[]>();
    for (const located of found.connections) {
      for (const target of located.subflows) {
        const key = formatEndpoint(target.subflow.remote);
        const one: Known = { files, located, target };
        one.way = before?.get(key)?.find((other) => other.way && isSamePlace(other, one))?.way;
        const others = known.get(key);
        if (others) others.push(one);
        else known.set(key, [one]);
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
    const result = this.#commit(name, priority, overridePeer);
    if (result.outcome !== 'gone') return result;
    // The way may have changed and still lead there: a neighbour on the list closed, the fd table grew.
    try {
      await this.connections(name.pid);
    } catch {
      this.#known.delete(name.pid);
    }
    return this.#commit(name, priority, overridePeer);
  }

  close(): Promise<void> {
    this.#known.clear();
    this.kernel.memory.close();
    return Promise.resolve();
  }

  #commit(name: SubflowName, priority: Priority, overridePeer: boolean): PriorityResult {
    const known = this.#known
      .get(name.pid)
      ?.get(formatEndpoint(name.remote))
      ?.find((one) => isNamed(one, name));
    const gone = (reason: string): PriorityResult => ({ outcome: 'gone', peerAsked: false, reason });
    if (!known) return gone('there is no such subflow');
    const way = (known.way ??= this.#wayTo(name.pid, known));
    if (!way) return gone('the subflow closed');
    const { bits } = this.#family;
    const isHeldBack = priority === 'active' && known.target.subflow.peers === 'backup';
    if (isHeldBack && overridePeer && bits.peersFixedBecause !== undefined) {
      return { outcome: 'refused', peerAsked: false, reason: bits.peersFixedBecause };
    }
    const commits = bits.commits(priority, { peers: known.target.subflow.peers, overridePeer });
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const changed = this.#commitOnce(way, commits);
        if (typeof changed === 'string') return gone(changed);
        if (!changed) return { outcome: 'unchanged', peerAsked: false };
        if (this.#holds(way, priority))
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

  #wayTo(pid: number, { files, located, target }: Known): Way | undefined {
    const trail = this.#family.trail(pid, files, located, target);
    const context = this.kernel.space.physical(target.context);
    return trail && context !== undefined ? { trail, words: trail.words(), context } : undefined;
  }

  /** True if something was changed, false if all was so already, a sentence if a guard did not hold. */
  #commitOnce({ trail, words, context }: Way, commits: readonly Commit[]): boolean | string {
    let changed = false;
    for (const { offset, width, mask, value } of commits) {
      const result = this.kernel.memory.commit(words, context + BigInt(offset), width, mask, value);
      if (result >= 0) return trail.describe(result);
      changed ||= result === CommitResult.changed;
    }
    return changed;
  }

  #holds({ context }: Way, priority: Priority): boolean {
    const { ours } = this.#family.bits;
    const { offset } = bytesOf(ours);
    if (!this.kernel.memory.readPhysical(context + BigInt(offset), this.#readBack)) return false;
    const bit = ours.bitOffset - 8 * offset;
    return (((this.#readBack[bit >>> 3] as number) >>> (bit & 7)) & 1) === (priority === 'backup' ? 1 : 0);
  }
}

function isNamed({ located, target }: Known, { connection, local }: SubflowName): boolean {
  return isSameEnd(located.connection.remote, connection) && isSameEnd(target.subflow.local, local);
}

/** Whether the guards of the one are those of the other: the same ends, found at the same addresses. */
function isSamePlace(one: Known, other: Known): boolean {
  const [a, b] = [one.located, other.located];
  return (
    (['context', 'socket', 'node', 'link'] as const).every((key) => one.target[key] === other.target[key]) &&
    (['fd', 'file', 'dentry', 'inode', 'socket', 'sk'] as const).every(
      (key) => a.file[key] === b.file[key],
    ) &&
    (['task', 'files', 'fdt', 'array'] as const).every((key) => one.files[key] === other.files[key]) &&
    isSameEnd(a.connection.remote, b.connection.remote) &&
    isSameEnd(a.connection.local, b.connection.local) &&
    isSameEnd(one.target.subflow.remote, other.target.subflow.remote) &&
    isSameEnd(one.target.subflow.local, other.target.subflow.local)
  );
}

function isSameEnd(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && one.address === other.address;
}
