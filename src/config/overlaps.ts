import { contains, type Prefix } from './prefix.js';

/** A prefix, its path, and the line that it is written on. */
export interface PathPrefix {
  readonly path: string;
  readonly prefix: Prefix;
  readonly line: number;
}

/** Two prefixes of different paths: the outer one contains the inner one. */
export interface Overlap {
  readonly outer: PathPrefix;
  readonly inner: PathPrefix;
}

/** The order by address family, address and length; so a network comes before all networks inside it. */
function sortKey({ prefix, line }: PathPrefix): [string, number, number] {
  const bytes = prefix.address.toByteArray();
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [`${bytes.length.toString().padStart(2, '0')}:${hex}`, prefix.bits, line];
}

/**
 * Finds every prefix that is inside a prefix of another path. If it is inside several, the smallest of them is the
 * outer one. Takes n log n steps.
 */
export function findOverlaps(prefixes: readonly PathPrefix[]): Overlap[] {
  // Two networks are nested or disjoint. So in the order of address and length, all networks around one form a stack.
  const sorted = prefixes
    .map((placed) => ({ placed, key: sortKey(placed) }))
    .sort(({ key: a }, { key: b }) => (a[0] === b[0] ? a[1] - b[1] || a[2] - b[2] : a[0] < b[0] ? -1 : 1));
  const found: Overlap[] = [];
  // `outer`: the smallest network around `placed` that belongs to another path
  const around: { readonly placed: PathPrefix; readonly outer: PathPrefix | undefined }[] = [];
  for (const { placed: inner } of sorted) {
    let top = around.at(-1);
    for (; top && !contains(top.placed.prefix, inner.prefix); top = around.at(-1)) around.pop();
    const outer = top?.placed.path === inner.path ? top.outer : top?.placed;
    if (outer) found.push({ outer, inner });
    around.push({ placed: inner, outer });
  }
  return found;
}
