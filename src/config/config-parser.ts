import type { z } from 'zod';
import { hint } from '../util/nearest.js';
import { findExceededLimits } from './limits.js';
import { readLines, sectionTitle, type IniEntry, type IniSection } from './lines.js';
import type { ConfigProblem } from './problem.js';
import { sectionForms, sections, type SectionKind } from './sections.js';
import { ValueError } from './value-error.js';

/** Keys that a section can have several times, each as `KIND KEY`. */
const REPEATABLE: ReadonlySet<string> = new Set(['path prefix']);

/** The values of a section of one kind, with the defaults filled in. */
export type SectionValues<K extends SectionKind> = z.output<(typeof sections)[K]>;

/** A section and its name; `[openvpn]` has the name `default`. */
export interface NamedSection {
  readonly section: IniSection;
  readonly name: string;
}

/** Parses the sections of a config one after the other, and collects their problems. */
export class ConfigParser {
  readonly problems: ConfigProblem[] = [];
  /** Whether the text exceeds a limit. Then nothing else is checked, because that could take seconds. */
  readonly isOverLimit: boolean;
  readonly #sections: readonly IniSection[];

  constructor(text: string) {
    const { sections, problems, isCut } = readLines(text);
    const surplus = findExceededLimits(sections);
    // not push(...problems): there can be more problems than a call accepts arguments
    for (const problem of problems) this.problems.push(problem);
    for (const problem of surplus) this.problems.push(problem);
    this.isOverLimit = isCut || surplus.length > 0;
    this.#sections = this.isOverLimit ? [] : sections.filter((section) => this.#isKnown(section));
  }

  /** Adds a problem of a section, or of one entry of it. */
  addProblem(section: IniSection, message: string, entry?: IniEntry): void {
    const place = { line: entry?.line ?? section.line, section: sectionTitle(section) };
    this.problems.push(entry ? { ...place, key: entry.key, message } : { ...place, message });
  }

  /** Adds a problem of the value of a key, which the section can also lack. */
  addKeyProblem(section: IniSection, key: string, message: string): void {
    this.addProblem(section, `${key}: ${message}`, entryOf(section, key));
  }

  /**
   * The sections of one kind. If several have the same name, only the first one counts.
   * @param isReported whether each of the others is a problem; false if they were reported before.
   */
  *sectionsOf(kind: SectionKind, isReported = true): Generator<NamedSection> {
    const first = new Map<string, IniSection>();
    for (const section of this.#sections) {
      if (section.kind !== kind) continue;
      const name = kind === 'openvpn' && section.name === '' ? 'default' : section.name;
      const earlier = first.get(name);
      if (!earlier) {
        first.set(name, section);
        yield { section, name };
      } else if (isReported) {
        const isSame = sectionTitle(earlier) === sectionTitle(section);
        const as = isSame ? '' : `, as ${sectionTitle(earlier)}`;
        this.addProblem(section, `is already on line ${earlier.line}${as}; join the two sections`);
      }
    }
  }

  /** The values of a section; undefined if the section has problems, which are then reported. */
  valuesOf<K extends SectionKind>(kind: K, section: IniSection): SectionValues<K> | undefined {
    const before = this.problems.length;
    const entries = this.#entriesByKey(kind, section);
    const values = [...entries].map(([key, found]): [string, string | string[]] =>
      REPEATABLE.has(`${kind} ${key}`)
        ? [key, found.map(({ value }) => value)]
        : [key, found[0]?.value ?? ''],
    );
    const result = sections[kind].safeParse(Object.fromEntries(values));
    for (const { path, message } of result.error?.issues ?? []) {
      const [key, index] = path;
      const entry = entries.get(String(key))?.[typeof index === 'number' ? index : 0];
      // a mistyped key is reported once, not also as the missing key that it was meant to be
      if (!entry && this.problems.length > before) continue;
      this.addProblem(section, entry ? `${entry.key}: ${message}` : message, entry);
    }
    if (this.problems.length > before) return undefined;
    return result.data as SectionValues<K>;
  }

  /** The values of a section that a config has at most once; the defaults if it is missing or has problems. */
  valuesOfSingle<K extends 'kernel' | 'console' | 'steering'>(kind: K): SectionValues<K> {
    const [first] = [...this.sectionsOf(kind)];
    const values = first && this.valuesOf(kind, first.section);
    return values ?? (sections[kind].parse({}) as SectionValues<K>);
  }

  /** Reports the name between the brackets if `read` does not accept it. */
  checkName({ section, name }: NamedSection, read: (name: string) => string): void {
    try {
      read(name);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      this.addProblem(section, error.message);
    }
  }

  /** The entries of a section by their key. Reports keys that are unknown or written twice. */
  #entriesByKey(kind: SectionKind, section: IniSection): Map<string, IniEntry[]> {
    const known = Object.keys(sections[kind].shape);
    const found = new Map<string, IniEntry[]>();
    for (const entry of section.entries) {
      const { key } = entry;
      const earlier = found.get(key);
      if (!known.includes(key)) {
        const message = `unknown key \`${key}\`${hint(key, known)}; known here: ${known.join(', ')}`;
        this.addProblem(section, message, entry);
      } else if (earlier && !REPEATABLE.has(`${kind} ${key}`)) {
        const message = `${key} is already on line ${earlier[0]?.line ?? 0}; keep one of the two`;
        this.addProblem(section, message, entry);
      } else if (earlier) {
        earlier.push(entry);
      } else {
        found.set(key, [entry]);
      }
    }
    return found;
  }

  /** Whether the kind of a section is known, and it has a name exactly if its kind needs one. Reports what is wrong. */
  #isKnown(section: IniSection): boolean {
    const { kind, name } = section;
    const form = Object.entries(sectionForms).find(([known]) => known === kind)?.[1];
    const forms = Object.values(sectionForms).join(', ');
    if (form === undefined) {
      const near = hint(kind, Object.keys(sectionForms));
      this.addProblem(section, `unknown kind of section \`${kind}\`${near}; known: ${forms}`);
    } else if (name === '' && (kind === 'path' || kind === 'client')) {
      this.addProblem(section, `has no name; write ${form}`);
    } else if (name !== '' && !form.includes(' ')) {
      this.addProblem(section, `cannot have a name; write ${form}`);
    } else {
      return true;
    }
    return false;
  }
}

/** The first entry of a section that has this key. */
export function entryOf(section: IniSection, key: string): IniEntry | undefined {
  return section.entries.find((entry) => entry.key === key);
}
