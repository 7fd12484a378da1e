import type { Field } from '../layout/layout.js';
import type { Gatherer } from '../memory/address-space.js';
import { FieldSelection, type Slot } from '../memory/field-selection.js';
import { FieldTable, toHalves } from '../memory/field-table.js';

/**
 * The largest number of nodes on a list. How many subflows a connection can have differs between kernels, and the userspace path
 * manager of upstream has no limit. This number is twice the largest `max-subflows`, because subflows that are closing stay on
 * the list for a while.
 */
export const MAX_NODES = 512;
const POINTER = new FieldSelection();
const POINTER_SLOT = POINTER.add({ offset: 0, size: 8 });

/** The `next` or `first` pointer of a list member. It is the first member of all kinds of list heads and nodes. */
export function nextPointer({ offset }: Field): Field {
  return { offset, size: 8 };
}

/** The nodes of many lists: first all nodes of the first list, then all of the second one, and so on. */
export interface SubflowLists {
  readonly nodes: BigUint64Array;
  /** The address of the pointer to each node. */
  readonly links: BigUint64Array;
  /** The index of each list's first node, and at the end the number of all nodes. */
  readonly starts: Uint32Array;
  /** The lists that could not be walked to their end, with the reason. */
  readonly broken: ReadonlyMap<number, string>;
}

/** The nodes at the same depth of all lists that are long enough. `lists` says to which list each node belongs. */
interface Step {
  readonly lists: Uint32Array;
  readonly nodes: BigUint64Array;
  readonly links: BigUint64Array;
}

/** Walks many lists side by side: one native call reads the first node of each, the next call the second, and so on. */
export class ListWalker {
  /** The pointers of each step. */
  readonly #steps: FieldTable[] = [];

  constructor(private readonly space: Gatherer) {}

  /**
   * @param heads the address of each list's pointer to its first node.
   * @param ends the pointer that ends each list.
   * @param linksOf returns the addresses of the `next` pointers of these nodes; 0 for a node that cannot be read.
   */
  walk(
    heads: BigUint64Array,
    ends: BigUint64Array,
    linksOf: (nodes: BigUint64Array) => BigUint64Array,
  ): SubflowLists {
    const steps: Step[] = [];
    const counts = new Uint32Array(heads.length);
    const broken = new Map<number, string>();
    let unfinished: Omit<Step, 'nodes'> = { lists: indices(heads.length), links: heads };
    while (unfinished.lists.length > 0) {
      const step = takeStep(this.#read(unfinished.links, steps.length), unfinished, ends, broken);
      if (steps.length === MAX_NODES) {
        for (const list of step.lists) broken.set(list, 'its list of subflows does not close');
        break;
      }
      for (const list of step.lists) counts[list] = (counts[list] as number) + 1;
      steps.push(step);
      unfinished = { lists: step.lists, links: linksOf(step.nodes) };
    }
    return { ...toListOrder(steps, counts), broken };
  }

  #read(links: BigUint64Array, step: number): FieldTable {
    return this.space.gather(links, POINTER, (this.#steps[step] ??= new FieldTable(POINTER)));
  }
}

/** Tables that have the pointers of the lists: of the heads to the first node, and of each node to the next one. */
export interface ListFields {
  readonly heads: FieldTable;
  readonly first: Slot;
  readonly nodes: FieldTable;
  readonly next: Slot;
}

/** Whether the pointers of the heads and nodes, which were read after the walk, still form the same lists. */
export function listsUnchanged(
  lists: SubflowLists,
  ends: BigUint64Array,
  { heads, first, nodes, next }: ListFields,
): boolean {
  const [nodeHalves, endHalves] = [toHalves(lists.nodes), toHalves(ends)];
  if (lists.broken.size > 0) return false;
  for (let list = 0, node = 0; list < ends.length; list++) {
    const end = lists.starts[list + 1] as number;
    const pointsToNode = (table: FieldTable, row: number, slot: Slot) =>
      node < end
        ? table.pointerEquals(row, slot, nodeHalves, node)
        : table.pointerEquals(row, slot, endHalves, list);
    if (!pointsToNode(heads, list, first)) return false;
    while (node < end) if (!pointsToNode(nodes, node++, next)) return false;
  }
  return true;
}

function indices(count: number): Uint32Array {
  const all = new Uint32Array(count);
  for (let at = 0; at < count; at++) all[at] = at;
  return all;
}

function takeStep(
  pointers: FieldTable,
  { lists, links }: Omit<Step, 'nodes'>,
  ends: BigUint64Array,
  broken: Map<number, string>,
): Step {
  const endHalves = toHalves(ends);
  const found = {
    lists: new Uint32Array(lists.length),
    nodes: new BigUint64Array(links.length),
    links: new BigUint64Array(links.length),
  };
  let count = 0;
  for (let row = 0; row < lists.length; row++) {
    const list = lists[row] as number;
    if (!pointers.isRead(row)) {
      broken.set(list, 'its list of subflows has a pointer to memory that cannot be read');
    } else if (!pointers.pointerEquals(row, POINTER_SLOT, endHalves, list)) {
      found.lists[count] = list;
      found.nodes[count] = pointers.u64(row, POINTER_SLOT);
      found.links[count++] = links[row] as bigint;
    }
  }
  return {
    lists: found.lists.subarray(0, count),
    nodes: found.nodes.subarray(0, count),
    links: found.links.subarray(0, count),
  };
}

/** Sorts the nodes by list, and not by step. */
function toListOrder(steps: readonly Step[], counts: Uint32Array): Omit<SubflowLists, 'broken'> {
  const starts = new Uint32Array(counts.length + 1);
  for (let list = 0; list < counts.length; list++) {
    starts[list + 1] = (starts[list] as number) + (counts[list] as number);
  }
  const total = starts[counts.length] as number;
  const [nodes, links] = [new BigUint64Array(total), new BigUint64Array(total)];
  for (const [depth, step] of steps.entries()) {
    for (let row = 0; row < step.lists.length; row++) {
      const at = (starts[step.lists[row] as number] as number) + depth;
      nodes[at] = step.nodes[row] as bigint;
      links[at] = step.links[row] as bigint;
    }
  }
  return { nodes, links, starts };
}
