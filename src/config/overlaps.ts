import { contains, type Prefix } from './prefix.js';

/** A prefix, its path, and the line that it is written on. */
export interface PlacedPrefix {
  readonly path: string;
  readonly prefix: Prefix;
  readonly line: number;
}

/** Two prefixes of different paths: the outer one contains the inner one. */
export interface Overlap {
  readonly outer: PlacedPrefix;
  readonly inner: PlacedPrefix;
}

function order({ prefix, line }: PlacedPrefix): [string, number, number] {
  const bytes = prefix.address.toByteArray();
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [`${bytes.length.toString().padStart(2, '0')}:${hex}`, prefix.bits, line];
}

/** Every prefix that lies inside a prefix of another path, with the smallest of those. Takes n log n steps. */
export function overlaps(prefixes: readonly PlacedPrefix[]): Overlap[] {
  // Two networks are nested or disjoint. So in the order of address and length, all networks around one form a stack.
  const sorted = prefixes
    .map((placed) => ({ placed, key: order(placed) }))
    .sort(({ key: a }, { key: b }) => (a[0] === b[0] ? a[1] - b[1] || a[2] - b[2] : a[0] < b[0] ? -1 : 1));
  const found: Overlap[] = [];
  // `outer`: the smallest network around `placed` that belongs to another path
  const around: { readonly placed: PlacedPrefix; readonly outer: PlacedPrefix | undefined }[] = [];
  for (const { placed: inner } of sorted) {
    let top = around.at(-1);
    for (; top && !contains(top.placed.prefix, inner.prefix); top = around.at(-1)) around.pop();
    const outer = top?.placed.path === inner.path ? top.outer : top?.placed;
    if (outer) found.push({ outer, inner });
    around.push({ placed: inner, outer });
  }
  return found;
}
