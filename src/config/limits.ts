import { sectionTitle, type IniSection } from './lines.js';
import type { ConfigProblem } from './problem.js';

/** The most sections of a config: more than a server has clients. To check more could block the daemon for seconds. */
export const MAX_SECTIONS = 20_000;

/** The most sections of some kinds. Each server needs sockets, and each new client is compared with all globs. */
export const SECTION_LIMITS: readonly {
  readonly what: string;
  readonly most: number;
  readonly counts: (section: IniSection) => boolean;
}[] = [
  { what: '[openvpn NAME] sections', most: 256, counts: ({ kind }) => kind === 'openvpn' },
  { what: '[path NAME] sections', most: 1000, counts: ({ kind }) => kind === 'path' },
  {
    what: '[client GLOB] sections with * or ?',
    most: 1000,
    counts: ({ kind, name }) => kind === 'client' && /[*?]/.test(name),
  },
];

/**
 * Finds the limits that a config exceeds. A config within the limits is read in a second or two on one core, even if
 * every line of it is wrong.
 */
export function findExceededLimits(sections: readonly IniSection[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (section: IniSection, what: string, most: number) => {
    problems.push({
      line: section.line,
      section: sectionTitle(section),
      message: `too many ${what}: ${most} are read at most`,
    });
  };
  const surplus = sections[MAX_SECTIONS];
  if (surplus) add(surplus, 'sections', MAX_SECTIONS);
  for (const { what, most, counts } of SECTION_LIMITS) {
    const first = sections.filter(counts)[most];
    if (first) add(first, what, most);
  }
  return problems;
}
