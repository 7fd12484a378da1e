import type { Gathering } from '../memory/address-space.js';
import { Column, halves } from '../memory/column.js';
import type { Field } from '../layout/layout.js';
import { Shape, type Slot } from '../memory/shape.js';

/**
 * A connection has few subflows: upstream at most 8 for each side's addresses (net/mptcp/protocol.h,
 * MPTCP_SUBFLOWS_MAX), multipath-tcp.org at most 32 (the bits of `path_index_bits`). Some times over, for those that
 * are closing.
 */
export const MAX_NODES = 160;
const POINTER = new Shape();
const POINTED = POINTER.add({ offset: 0, size: 8 });

/** The pointer to the next node, which is the first member of heads and nodes of all kinds. */
export function pointerIn({ offset }: Field): Field {
  return { offset, size: 8 };
}

/** The nodes of many lists, list after list. */
export interface Lists {
  readonly nodes: BigUint64Array;
  /** Where the pointer to each node lies. */
  readonly links: BigUint64Array;
  /** Where each list's nodes begin; one more than there are lists, so that they end where the next one's begin. */
  readonly firsts: Uint32Array;
  /** Why a list could not be walked to its end, by its index. */
  readonly broken: ReadonlyMap<number, string>;
}

/** The same step of all lists that have one: for each, which list it is of. */
interface Step {
  readonly lists: Uint32Array;
  readonly nodes: BigUint64Array;
  readonly links: BigUint64Array;
}

/** Walks many lists in step: one pass for the first node of each, one for the second, and so on. */
export class ListWalk {
  /** The pointers of each step, read again in the next walk. */
  readonly #steps: Column[] = [];

  constructor(private readonly space: Gathering) {}

  /**
   * @param heads where each list's pointer to its first node lies.
   * @param ends the pointer that is no node of the list, but its end.
   * @param linksOf where the pointers to the next node lie; 0 for a node that cannot be read.
   */
  of(heads: BigUint64Array, ends: BigUint64Array, linksOf: (nodes: BigUint64Array) => BigUint64Array): Lists {
    const steps: Step[] = [];
    const counts = new Uint32Array(heads.length);
    const broken = new Map<number, string>();
    let open: Omit<Step, 'nodes'> = { lists: indices(heads.length), links: heads };
    while (open.lists.length > 0) {
      const step = takeStep(this.#read(open.links, steps.length), open, ends, broken);
      if (steps.length === MAX_NODES) {
        for (const list of step.lists) broken.set(list, 'its list of subflows does not close');
        break;
      }
      for (const list of step.lists) counts[list] = (counts[list] as number) + 1;
      steps.push(step);
      open = { lists: step.lists, links: linksOf(step.nodes) };
    }
    return { ...inOrder(steps, counts), broken };
  }

  #read(links: BigUint64Array, step: number): Column {
    return this.space.gather(links, POINTER, (this.#steps[step] ??= new Column(POINTER)));
  }
}

/** Where rows of the heads, and of the nodes, hold the pointer to the next node. */
export interface Followed {
  readonly heads: Column;
  readonly first: Slot;
  readonly nodes: Column;
  readonly next: Slot;
}

/** Whether all lists lead, by what was read of their heads and nodes since, where they were found to lead. */
export function leadAlike(
  lists: Lists,
  ends: BigUint64Array,
  { heads, first, nodes, next }: Followed,
): boolean {
  const [known, stops] = [halves(lists.nodes), halves(ends)];
  if (lists.broken.size > 0) return false;
  for (let list = 0, node = 0; list < ends.length; list++) {
    const end = lists.firsts[list + 1] as number;
    const leadsOn = (column: Column, row: number, slot: Slot) =>
      node < end ? column.holds(row, slot, known, node) : column.holds(row, slot, stops, list);
    if (!leadsOn(heads, list, first)) return false;
    while (node < end) if (!leadsOn(nodes, node++, next)) return false;
  }
  return true;
}

function indices(count: number): Uint32Array {
  const all = new Uint32Array(count);
  for (let at = 0; at < count; at++) all[at] = at;
  return all;
}

function takeStep(
  pointers: Column,
  { lists, links }: Omit<Step, 'nodes'>,
  ends: BigUint64Array,
  broken: Map<number, string>,
): Step {
  const stops = halves(ends);
  const found = {
    lists: new Uint32Array(lists.length),
    nodes: new BigUint64Array(links.length),
    links: new BigUint64Array(links.length),
  };
  let count = 0;
  for (let row = 0; row < lists.length; row++) {
    const list = lists[row] as number;
    if (!pointers.isRead(row)) broken.set(list, 'its list of subflows leads out of memory');
    else if (!pointers.holds(row, POINTED, stops, list)) {
      found.lists[count] = list;
      found.nodes[count] = pointers.u64(row, POINTED);
      found.links[count++] = links[row] as bigint;
    }
  }
  return {
    lists: found.lists.subarray(0, count),
    nodes: found.nodes.subarray(0, count),
    links: found.links.subarray(0, count),
  };
}

/** From step after step to list after list. */
function inOrder(steps: readonly Step[], counts: Uint32Array): Omit<Lists, 'broken'> {
  const firsts = new Uint32Array(counts.length + 1);
  for (let list = 0; list < counts.length; list++) {
    firsts[list + 1] = (firsts[list] as number) + (counts[list] as number);
  }
  const total = firsts[counts.length] as number;
  const [nodes, links] = [new BigUint64Array(total), new BigUint64Array(total)];
  for (const [depth, step] of steps.entries()) {
    for (let row = 0; row < step.lists.length; row++) {
      const at = (firsts[step.lists[row] as number] as number) + depth;
      nodes[at] = step.nodes[row] as bigint;
      links[at] = step.links[row] as bigint;
    }
  }
  return { nodes, links, firsts };
}
