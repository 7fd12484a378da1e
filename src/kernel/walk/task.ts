import { KernelError } from '../../model/kernel-error.js';
import type { Field, Layout } from '../layout/layout.js';
import type { AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type Slot } from '../memory/field-selection.js';
import { FieldTable } from '../memory/field-table.js';

/** The largest number of processes. Linux allows 4,194,304 PIDs (PID_MAX_LIMIT), but no real host comes near this limit. */
export const MAX_TASKS = 131_072;
const FIRST_LIMIT = 4096;
/** How often the list is read if a process on it exits meanwhile. */
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
    let end = 'limit';
    for (let limit = FIRST_LIMIT; limit <= MAX_TASKS; limit *= end === 'limit' ? 2 : 1) {
      let list;
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        list = this.space.walkList(head, pid, limit);
        end = list.end;
        if (end !== 'unreadable') break;
      }
      if (!list || end === 'unreadable') break;
      if (end === 'closed') {
        const { members } = list;
        return Array.from(list.nodes, (node, row) => ({
          address: node - BigInt(this.#tasks.offset),
          pid: members.getUint32(row * pid.size, true),
        }));
      }
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
    if (found === undefined) throw new KernelError('task', `there is no process ${pid}`);
    return found;
  }

  #readPid(address: bigint): number | undefined {
    const table = this.space.gather(BigUint64Array.of(address), this.#selection, this.#table);
    return table.isRead(0) ? table.u32(0, this.#pidSlot) : undefined;
  }
}
