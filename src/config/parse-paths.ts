import type { PathConfig } from './config.js';
import type { ConfigParser } from './config-parser.js';
import type { IniEntry, IniSection } from './lines.js';
import { readPathName } from './names.js';
import { findOverlaps, type PathPrefix } from './overlaps.js';

/** A prefix, and where it is written. */
interface WrittenPrefix extends PathPrefix {
  readonly section: IniSection;
  readonly entry: IniEntry;
}

/**
 * Parses all `[path NAME]` sections.
 * @returns the paths without mistakes, and the names of all: a rule can name a path whose own section is wrong.
 */
export function parsePaths(parser: ConfigParser): {
  readonly paths: PathConfig[];
  readonly names: ReadonlySet<string>;
} {
  const paths: PathConfig[] = [];
  const names = new Set<string>();
  const written: WrittenPrefix[] = [];
  for (const named of parser.sectionsOf('path')) {
    const { section, name } = named;
    names.add(name);
    parser.checkName(named, readPathName);
    const values = parser.valuesOf('path', section);
    if (!values) continue;
    // each line `prefix = ...` has several prefixes
    const entries = section.entries.filter(({ key }) => key === 'prefix');
    for (const [index, prefixes] of values.prefix.entries()) {
      const entry = entries[index];
      if (!entry) continue;
      for (const prefix of prefixes) written.push({ path: name, prefix, line: entry.line, section, entry });
    }
    const { capacity, 'max-loss': maxLoss, 'max-delay': maxDelay } = values;
    const texts = [...new Set(values.prefix.flat().map(({ text }) => text))];
    paths.push({
      name,
      prefixes: texts,
      ...(capacity && { capacity }),
      maxLoss,
      ...(maxDelay !== undefined && { maxDelay }),
    });
  }
  checkOverlaps(parser, written);
  return { paths, names };
}

/** Reports each prefix that overlaps with one of another path, at the later of the two lines. */
function checkOverlaps(parser: ConfigParser, written: readonly WrittenPrefix[]): void {
  // findOverlaps returns the same objects, as its own type
  const writtenByPrefix = new Map<PathPrefix, WrittenPrefix>(written.map((prefix) => [prefix, prefix]));
  for (const { outer, inner } of findOverlaps(written)) {
    const [earlier, later] = outer.line <= inner.line ? [outer, inner] : [inner, outer];
    const laterWritten = writtenByPrefix.get(later);
    if (!laterWritten) continue;
    const message =
      `prefix: paths ${earlier.path} (${earlier.prefix.text}, line ${earlier.line}) and ${later.path} ` +
      `(${later.prefix.text}) overlap in ${inner.prefix.text}; an address can be on one path only`;
    parser.addProblem(laterWritten.section, message, laterWritten.entry);
  }
}
