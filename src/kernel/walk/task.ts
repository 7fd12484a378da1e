import type { AddressSpace } from '../memory/address-space.js';
import { Column } from '../memory/column.js';
import { KernelError } from '../../model/kernel-error.js';
import type { Field, Layout } from '../layout/layout.js';
import { Shape, type Slot } from '../memory/shape.js';

/** Linux allows 4,194,304 PIDs (PID_MAX_LIMIT); a host with this many processes has other troubles. */
export const MAX_TASKS = 131_072;
const FIRST_LIMIT = 4096;

/** A task as the list of all tasks shows it. */
export interface Task {
  /** Virtual address of its task_struct. */
  readonly address: bigint;
  readonly pid: number;
}

/** The list of processes, walked from `init_task` (paper, section 3.3.1). */
export class Tasks {
  readonly #tasks: Field;
  readonly #pid: Field;
  readonly #known = new Map<number, bigint>();
  readonly #shape = new Shape();
  readonly #pidSlot: Slot;
  readonly #column: Column;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
    private readonly initTask: bigint,
  ) {
    this.#tasks = layout.field('task_struct', 'tasks');
    this.#pid = layout.field('task_struct', 'pid');
    this.#pidSlot = this.#shape.add(this.#pid);
    this.#column = new Column(this.#shape);
  }

  /**
   * Every process (not thread) there is.
   * @throws {KernelError} if the ring does not close: the kernel changed it under us too often, or this is no kernel.
   */
  all(): readonly Task[] {
    const head = this.initTask + BigInt(this.#tasks.offset);
    const pid = { offset: this.#pid.offset - this.#tasks.offset, size: this.#pid.size };
    let end = 'limit';
    for (let limit = FIRST_LIMIT; limit <= MAX_TASKS; limit *= end === 'limit' ? 2 : 1) {
      let list;
      // A process that dies on our way takes us off the ring; a few tries find it whole.
      for (let attempt = 0; attempt < 3; attempt++) {
        list = this.space.follow(head, pid, limit);
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
   * The process of this PID. One that was found before costs one read.
   * @throws {KernelError} if there is none.
   */
  find(pid: number): bigint {
    const known = this.#known.get(pid);
    if (known !== undefined && this.#pidAt(known) === pid) return known;
    this.#known.clear();
    for (const task of this.all()) this.#known.set(task.pid, task.address);
    const found = this.#known.get(pid);
    if (found === undefined) throw new KernelError('task', `there is no process ${pid}`);
    return found;
  }

  #pidAt(address: bigint): number | undefined {
    const column = this.space.gather(BigUint64Array.of(address), this.#shape, this.#column);
    return column.isRead(0) ? column.u32(0, this.#pidSlot) : undefined;
  }
}
