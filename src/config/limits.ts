import { sectionTitle, type IniSection } from './lines.js';
import type { ConfigProblem } from './problem.js';

/** Far more than a server has clients, and few enough that the daemon does not stop while it reads them. */
export const MOST_SECTIONS = 20_000;

/**
 * How many sections of one kind there can be. Each server needs sockets, and each new client is compared with all
 * globs.
 */
export const MOST: readonly {
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
 * Reports what a config has too much of. A config within the limits is read in a second or two on one core, also if
 * every line of it is wrong.
 */
export function exceeded(sections: readonly IniSection[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (section: IniSection, what: string, most: number) => {
    problems.push({
      line: section.line,
      section: sectionTitle(section),
      message: `too many ${what}: ${most} are read at most`,
    });
  };
  const surplus = sections[MOST_SECTIONS];
  if (surplus) add(surplus, 'sections', MOST_SECTIONS);
  for (const { what, most, counts } of MOST) {
    const first = sections.filter(counts)[most];
    if (first) add(first, what, most);
  }
  return problems;
}
