import type { PathConfig } from './config.js';
import { entryOf, type ConfigParser } from './config-parser.js';
import { readPathName } from './names.js';
import { checkPathConflicts, type WrittenPath } from './path-conflicts.js';

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
  const written: WrittenPath[] = [];
  for (const named of parser.sectionsOf('path')) {
    const { section, name } = named;
    names.add(name);
    parser.checkName(named, readPathName);
    const values = parser.valuesOf('path', section);
    if (!values) continue;
    const { prefix: lines = [], capacity, 'address-id': addressIds } = values;
    const { 'max-loss': maxLoss, 'max-delay': maxDelay } = values;
    if (lines.length === 0 && !addressIds) {
      const forms = 'prefix = 192.0.2.0/24, or an `address-id`, e.g. address-id = 1';
      parser.addProblem(section, `needs a \`prefix\`, e.g. ${forms}`);
      continue;
    }
    // each line `prefix = ...` has several prefixes
    const entries = section.entries.filter(({ key }) => key === 'prefix');
    const prefixes = lines.flatMap((line, index) => {
      const entry = entries[index];
      return entry ? line.map((prefix) => ({ path: name, prefix, line: entry.line, section, entry })) : [];
    });
    const idEntry = entryOf(section, 'address-id');
    written.push({ name, section, prefixes, ...(addressIds && { addressIds }), ...(idEntry && { idEntry }) });
    paths.push({
      name,
      prefixes: [...new Set(prefixes.map(({ prefix }) => prefix.text))],
      ...(addressIds && { addressIds: [...addressIds].sort((a, b) => a - b) }),
      ...(capacity && { capacity }),
      maxLoss,
      ...(maxDelay !== undefined && { maxDelay }),
    });
  }
  checkPathConflicts(parser, written);
  return { paths, names };
}
