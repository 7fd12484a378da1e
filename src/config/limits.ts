import { sectionTitle, type IniSection } from './lines.js';
import type { ConfigProblem } from './problem.js';

/** Far more than a server has clients, far less than would keep the daemon from serving while they are read. */
export const MOST_SECTIONS = 20_000;

/** Of one kind of section. Each server takes sockets, and each new client is compared with all globs. */
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
 * Says where a config has more of something than can be read and obeyed without a pause: within a second or two, on
 * one core, also where each line of it is wrong.
 */
export function exceeded(sections: readonly IniSection[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const tell = (section: IniSection, what: string, most: number) => {
    problems.push({
      line: section.line,
      section: sectionTitle(section),
      message: `too many ${what}: ${most} are read at most`,
    });
  };
  const surplus = sections[MOST_SECTIONS];
  if (surplus) tell(surplus, 'sections', MOST_SECTIONS);
  for (const { what, most, counts } of MOST) {
    const first = sections.filter(counts)[most];
    if (first) tell(first, what, most);
  }
  return problems;
}
