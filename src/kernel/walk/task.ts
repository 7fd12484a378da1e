import { KernelError, NoProcessError } from '../../model/kernel-error.js';
import type { ListEnd } from '../../native/addon.js';
import type { Field, Layout } from '../layout/layout.js';
import type { AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type Slot } from '../memory/field-selection.js';
import { FieldTable } from '../memory/field-table.js';

/** The largest number of processes. Linux allows 4,194,304 PIDs (PID_MAX_LIMIT), but no real host comes near this limit. */
export const MAX_TASKS = 131_072;
/** The number of processes for which there is room at first. It doubles until all fit. */
const FIRST_LIMIT = 4096;
/** How often the list is read if the walk meets memory that cannot be read: a process on the list may just have exited. */
const ATTEMPTS = 3;

/** A process. */
export interface Task {
  /** Virtual address of its `task_struct`. */
  readonly address: bigint;
  readonly pid: number;
}

/** The list of processes, `task_struct.tasks`, which starts at `init_task` (paper, section 3.3.1). */
export class Tasks {
  readonly #tasks: Field;
  readonly #pid: Field;
  /** Addresses by PID, as the list had them when it was last read. */
  readonly #addresses = new Map<number, bigint>();
  readonly #selection = new FieldSelection();
  readonly #pidSlot: Slot;
  readonly #table: FieldTable;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
    private readonly initTask: bigint,
  ) {
    this.#tasks = layout.field('task_struct', 'tasks');
    this.#pid = layout.field('task_struct', 'pid');
    this.#pidSlot = this.#selection.add(this.#pid);
    this.#table = new FieldTable(this.#selection);
  }

  /**
   * Every process, without its other threads.
   * @throws {KernelError} if the list does not lead back to `init_task`: the kernel changed it during each attempt, or the
   * memory is not that of a kernel.
   */
  all(): readonly Task[] {
    const head = this.initTask + BigInt(this.#tasks.offset);
    const pid = { offset: this.#pid.offset - this.#tasks.offset, size: this.#pid.size };
    let end: ListEnd = 'limit';
    for (let limit = FIRST_LIMIT; end === 'limit' && limit <= MAX_TASKS; limit *= 2) {
      const { nodes, members, end: thisEnd } = this.#walkList(head, pid, limit);
      if (thisEnd === 'closed') {
        return Array.from(nodes, (node, row) => ({
          address: node - BigInt(this.#tasks.offset),
          pid: members.getUint32(row * pid.size, true),
        }));
      }
      end = thisEnd;
    }
    throw new KernelError('task', `the list of tasks from init_task does not close (${end})`);
  }

  /**
   * Address of the `task_struct` of a process. For a PID that was found before this takes one read.
   * @throws {KernelError} if there is no such process.
   */
  find(pid: number): bigint {
    const known = this.#addresses.get(pid);
    if (known !== undefined && this.#readPid(known) === pid) return known;
    this.#addresses.clear();
    for (const task of this.all()) this.#addresses.set(task.pid, task.address);
    const found = this.#addresses.get(pid);
    if (found === undefined) throw new NoProcessError(pid);
    return found;
  }

  /** See {@link AddressSpace.walkList}. Walks again if memory cannot be read. */
  #walkList(head: bigint, member: Field, limit: number): ReturnType<AddressSpace['walkList']> {
    let list = this.space.walkList(head, member, limit);
    for (let attempt = 1; list.end === 'unreadable' && attempt < ATTEMPTS; attempt++) {
      list = this.space.walkList(head, member, limit);
    }
    return list;
  }

  #readPid(address: bigint): number | undefined {
    const table = this.space.gather(BigUint64Array.of(address), this.#selection, this.#table);
    return table.isRead(0) ? table.u32(0, this.#pidSlot) : undefined;
  }
}
