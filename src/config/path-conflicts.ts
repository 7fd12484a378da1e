import type { ConfigParser } from './config-parser.js';
import type { IniEntry, IniSection } from './lines.js';
import { findOverlaps, type PathPrefix } from './overlaps.js';

/** A prefix, and where it is written. */
export interface WrittenPrefix extends PathPrefix {
  readonly section: IniSection;
  readonly entry: IniEntry;
}

/** A path, and where it is written. */
export interface WrittenPath {
  readonly name: string;
  readonly section: IniSection;
  /** Empty: it has every address. */
  readonly prefixes: readonly WrittenPrefix[];
  /** Absent: a subflow with any address ID can be on it. */
  readonly addressIds?: readonly number[];
  /** The line with the IDs. */
  readonly idEntry?: IniEntry;
}

/**
 * Reports paths that leave open which of them a subflow is on, at the later of the two lines. Two paths must differ in their
 * addresses or in their address IDs. A path with IDs may overlap with one without: a subflow with such an ID is on the former.
 */
export function checkPathConflicts(parser: ConfigParser, paths: readonly WrittenPath[]): void {
  // undefined: the paths without IDs
  const byId = new Map<number | undefined, WrittenPath[]>();
  for (const path of paths) {
    for (const id of path.addressIds ?? [undefined]) {
      const others = byId.get(id);
      if (others) others.push(path);
      else byId.set(id, [path]);
    }
  }
  const reported = new Set<string>();
  for (const [id, alike] of byId) {
    if (alike.length < 2) continue;
    addEveryAddress(parser, id, alike, reported);
    addOverlaps(parser, id, alike, reported);
  }
}

/** Reports each path beside one without a prefix, which has every address. */
function addEveryAddress(
  parser: ConfigParser,
  id: number | undefined,
  alike: readonly WrittenPath[],
  reported: Set<string>,
): void {
  const open = alike.find(({ prefixes }) => prefixes.length === 0);
  if (id === undefined || !open) return;
  for (const other of alike) {
    if (other === open) continue;
    const [earlier, later] = lineOf(open) <= lineOf(other) ? [open, other] : [other, open];
    if (!isNew(reported, `${earlier.name} ${later.name}`)) continue;
    const message =
      `address-id: paths ${earlier.name} (line ${lineOf(earlier)}) and ${later.name} both have the address ID ${id}, ` +
      `and ${open.name} has no prefix, so it has every address; write different IDs, or a prefix in both`;
    parser.addProblem(later.section, message, later.idEntry);
  }
}

/** Reports each prefix that overlaps with one of another path. */
function addOverlaps(
  parser: ConfigParser,
  id: number | undefined,
  alike: readonly WrittenPath[],
  reported: Set<string>,
): void {
  const written = alike.flatMap(({ prefixes }) => prefixes);
  // findOverlaps returns the same objects, as its own type
  const writtenByPrefix = new Map<PathPrefix, WrittenPrefix>(written.map((prefix) => [prefix, prefix]));
  for (const { outer, inner } of findOverlaps(written)) {
    const [earlier, later] = outer.line <= inner.line ? [outer, inner] : [inner, outer];
    const laterWritten = writtenByPrefix.get(later);
    const pair = `${earlier.line} ${earlier.prefix.text} ${later.line} ${later.prefix.text}`;
    if (!laterWritten || !isNew(reported, pair)) continue;
    const both = id === undefined ? '' : `, and both have the address ID ${id}`;
    const message =
      `prefix: paths ${earlier.path} (${earlier.prefix.text}, line ${earlier.line}) and ${later.path} ` +
      `(${later.prefix.text}) overlap in ${inner.prefix.text}${both}; an address can be on one path only, ` +
      'unless address-id differs';
    parser.addProblem(laterWritten.section, message, laterWritten.entry);
  }
}

function lineOf({ section, idEntry }: WrittenPath): number {
  return idEntry?.line ?? section.line;
}

/** Adds a key, and returns whether it was missing. */
function isNew(keys: Set<string>, key: string): boolean {
  const before = keys.size;
  return keys.add(key).size > before;
}
