import type { AddressSpace } from './address_space.js';
import type { Field } from './layout.js';

/**
 * A connection has few subflows: upstream at most 8 for each side's addresses (net/mptcp/protocol.h,
 * MPTCP_SUBFLOWS_MAX), multipath-tcp.org at most 32 (the bits of `path_index_bits`). Some times over, for those that
 * are closing.
 */
const MAX_NODES = 160;
const POINTER: Field = { offset: 0, size: 8 };

/** What stands on a list, and where the pointer to it lies. */
export interface ListNode {
  readonly node: bigint;
  readonly link: bigint;
}

/** One list's nodes in order. */
export interface ListWalk {
  readonly nodes: readonly ListNode[];
  /** Why it could not be walked to its end. */
  readonly broken?: string;
}

/**
 * Walks many lists in step: one pass for the first node of each, one for the second, and so on.
 * @param heads where each list's pointer to its first node lies.
 * @param isEnd whether a pointer of the list `index` is no node but its end.
 * @param linksOf where the pointers to the next node lie; undefined for a node that cannot be read.
 */
export function walkLists(
  space: AddressSpace,
  heads: readonly bigint[],
  isEnd: (node: bigint, index: number) => boolean,
  linksOf: (nodes: readonly bigint[]) => readonly (bigint | undefined)[],
): readonly ListWalk[] {
  const lists = heads.map((): { nodes: ListNode[]; broken?: string } => ({ nodes: [] }));
  let open = heads.map((link, index): { link: bigint | undefined; index: number } => ({ link, index }));
  for (let step = 0; open.length > 0; step++) {
    const pointers = space.gather(
      BigUint64Array.from(open, ({ link }) => link ?? 0n),
      [POINTER],
    );
    const found: { node: bigint; index: number }[] = [];
    for (const [row, { link, index }] of open.entries()) {
      const list = lists[index] as (typeof lists)[number];
      if (link === undefined || !pointers.isRead(row)) {
        list.broken = 'its list of subflows leads out of memory';
        continue;
      }
      const node = pointers.u64(row, POINTER);
      if (isEnd(node, index)) continue;
      if (step === MAX_NODES) {
        list.broken = 'its list of subflows does not close';
        continue;
      }
      list.nodes.push({ node, link });
      found.push({ node, index });
    }
    const links = linksOf(found.map(({ node }) => node));
    open = found.map(({ index }, row) => ({ link: links[row], index }));
  }
  return lists;
}
