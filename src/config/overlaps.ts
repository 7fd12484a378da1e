import { holds, type Prefix } from './prefix.js';

/** A prefix, the path it belongs to and where it was written. */
export interface PlacedPrefix {
  readonly path: string;
  readonly prefix: Prefix;
  readonly line: number;
}

/** Two prefixes of different paths of which the outer one holds the inner one. */
export interface Overlap {
  readonly outer: PlacedPrefix;
  readonly inner: PlacedPrefix;
}

function order({ prefix, line }: PlacedPrefix): [string, number, number] {
  const bytes = prefix.address.toByteArray();
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [`${bytes.length.toString().padStart(2, '0')}:${hex}`, prefix.bits, line];
}

/** Every prefix that lies inside one of another path, each with the nearest such; in n log n. */
export function overlaps(prefixes: readonly PlacedPrefix[]): Overlap[] {
  // Networks nest or are apart, so in order of address and length all that hold one are a stack before it.
  const sorted = prefixes
    .map((placed) => ({ placed, key: order(placed) }))
    .sort(({ key: a }, { key: b }) => (a[0] === b[0] ? a[1] - b[1] || a[2] - b[2] : a[0] < b[0] ? -1 : 1));
  const found: Overlap[] = [];
  // each with the nearest around it that is of another path
  const around: { readonly placed: PlacedPrefix; readonly outer: PlacedPrefix | undefined }[] = [];
  for (const { placed: inner } of sorted) {
    let top = around.at(-1);
    for (; top && !holds(top.placed.prefix, inner.prefix); top = around.at(-1)) around.pop();
    const outer = top?.placed.path === inner.path ? top.outer : top?.placed;
    if (outer) found.push({ outer, inner });
    around.push({ placed: inner, outer });
  }
  return found;
}
