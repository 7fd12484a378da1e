import { posix } from 'node:path';

import type { z } from 'zod';

import type {
  ClientConfig,
  Config,
  PathConfig,
  RuleConfig,
  ServerConfig,
  ServerConsoleConfig,
} from './config.js';
import { exceeded } from './limits.js';
import { readLines, sectionTitle, type IniEntry, type IniSection } from './lines.js';
import { isLoopback } from './management.js';
import { DEFAULT_MODE, MODE_KEYS, type ModeKeys } from '../model/mode.js';
import { hint } from '../util/nearest.js';
import { overlaps, type PlacedPrefix } from './overlaps.js';
import type { ConfigProblem } from './problem.js';
import { readName, readPathName, sectionForms, sections, type SectionKind } from './sections.js';
import { readSocketPath } from './socket-path.js';
import { ValueError } from './value-error.js';

/** What came of reading a config: all of it, or everything that is wrong with it, in the order of the file. */
export type ParseResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Characters; far above any config, far below what would keep the daemon busy. */
export const LONGEST_TEXT = 1_048_576;

/** Problems that are told one by one. */
export const MOST_PROBLEMS = 100;

/** Characters. */
export const LONGEST_MESSAGE = 2000;

/** Keys that may stand in a section several times. */
const REPEATABLE: ReadonlySet<string> = new Set(['path prefix']);

class Reading {
  readonly problems: ConfigProblem[] = [];
  readonly sections: readonly IniSection[];
  /** It has more of something than is read: nothing else is said of it. */
  readonly isExceeded: boolean;

  constructor(text: string) {
    const { sections, problems, isCut } = readLines(text);
    const surplus = exceeded(sections);
    // the problems of lines are as many as there are lines: more than a call takes arguments
    for (const problem of problems) this.problems.push(problem);
    for (const problem of surplus) this.problems.push(problem);
    // what would take seconds to check is not checked
    this.isExceeded = isCut || surplus.length > 0;
    this.sections = this.isExceeded ? [] : sections.filter((section) => this.#known(section));
  }

  complain(section: IniSection, message: string, entry?: IniEntry): void {
    const place = { line: entry?.line ?? section.line, section: sectionTitle(section) };
    this.problems.push(entry ? { ...place, key: entry.key, message } : { ...place, message });
  }

  /** The sections of one kind; of several with one name only the first, the others are complained about. */
  *of(kind: SectionKind, complains = true): Generator<{ section: IniSection; name: string }> {
    const first = new Map<string, IniSection>();
    for (const section of this.sections) {
      if (section.kind !== kind) continue;
      const name = kind === 'openvpn' && section.name === '' ? 'default' : section.name;
      const earlier = first.get(name);
      if (earlier && !complains) continue;
      if (earlier) {
        const same = sectionTitle(earlier) === sectionTitle(section);
        const as = same ? '' : `, as ${sectionTitle(earlier)}`;
        this.complain(section, `stands already on line ${earlier.line}${as}; make one section of the two`);
        continue;
      }
      first.set(name, section);
      yield { section, name };
    }
  }

  /** A section's values, or undefined after complaining about everything in it that is wrong. */
  read<K extends SectionKind>(kind: K, section: IniSection): z.output<(typeof sections)[K]> | undefined {
    const schema = sections[kind];
    const known = Object.keys(schema.shape);
    const found = new Map<string, IniEntry[]>();
    const before = this.problems.length;
    const complain = (message: string, entry?: IniEntry) => {
      this.complain(section, message, entry);
    };
    for (const entry of section.entries) {
      const { key } = entry;
      const earlier = found.get(key);
      if (!known.includes(key)) {
        complain(`unknown key \`${key}\`${hint(key, known)}; known here: ${known.join(', ')}`, entry);
      } else if (earlier && !REPEATABLE.has(`${kind} ${key}`)) {
        complain(`${key} stands already on line ${earlier[0]?.line ?? 0}; keep one of the two`, entry);
      } else if (earlier) {
        earlier.push(entry);
      } else {
        found.set(key, [entry]);
      }
    }
    const values = [...found].map(([key, entries]): [string, string | string[]] =>
      REPEATABLE.has(`${kind} ${key}`)
        ? [key, entries.map(({ value }) => value)]
        : [key, entries[0]?.value ?? ''],
    );
    const result = schema.safeParse(Object.fromEntries(values));
    for (const { path, message } of result.error?.issues ?? []) {
      const [key, index] = path;
      const entry = found.get(String(key))?.[typeof index === 'number' ? index : 0];
      // a mistyped key is told once, not once more as the key that it was meant to be
      if (!entry && this.problems.length > before) continue;
      complain(entry ? `${entry.key}: ${message}` : message, entry);
    }
    if (this.problems.length > before) return undefined;
    return result.data as z.output<(typeof sections)[K]>;
  }

  /** Complains if the name between the brackets cannot be used. */
  named(section: IniSection, name: string, read: (name: string) => string): void {
    try {
      read(name);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      this.complain(section, error.message);
    }
  }

  #known(section: IniSection): boolean {
    const { kind, name } = section;
    const form = Object.entries(sectionForms).find(([known]) => known === kind)?.[1];
    const forms = Object.values(sectionForms).join(', ');
    if (form === undefined) {
      const near = hint(kind, Object.keys(sectionForms));
      this.complain(section, `unknown kind of section \`${kind}\`${near}; known: ${forms}`);
    } else if (name === '' && (kind === 'path' || kind === 'client')) {
      this.complain(section, `has no name; write ${form}`);
    } else if (name !== '' && !form.includes(' ')) {
      this.complain(section, `takes no name; write ${form}`);
    } else {
      return true;
    }
    return false;
  }
}

function entryOf(section: IniSection, key: string): IniEntry | undefined {
  return section.entries.find((entry) => entry.key === key);
}

/** The console of a server, by default beside `[console] socket`; undefined where there is none, or it is wrong. */
function readServerConsole(
  reading: Reading,
  section: IniSection,
  name: string,
  values: z.output<(typeof sections)['openvpn']>,
  directory: string,
): ServerConsoleConfig | undefined {
  const {
    management,
    console: given,
    'console-listen': listen,
    'console-password-file': passwordFile,
    'console-hangup': hangup,
  } = values;
  const complain = (key: string, message: string) => {
    reading.complain(section, `${key}: ${message}`, entryOf(section, key));
  };
  if (!management) {
    for (const key of ['console', 'console-listen', 'console-password-file', 'console-hangup']) {
      if (entryOf(section, key)) complain(key, 'there is nothing to share without management; add that');
    }
    return undefined;
  }
  if (passwordFile !== undefined && !listen)
    complain('console-password-file', 'it is for TCP: set console-listen, or take this away');
  if (listen && !isLoopback(listen.host) && passwordFile === undefined) {
    const message = `${listen.host} can be reached from other hosts; set console-password-file`;
    complain('console-listen', message);
  }
  let socket = given;
  try {
    socket ??= readSocketPath(posix.join(directory, `${name}.sock`));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    reading.complain(section, `${error.message}: set console`);
    return undefined;
  }
  return {
    socket,
    ...(listen && { listen }),
    ...(passwordFile !== undefined && { passwordFile }),
    ...(hangup === 'yes' && { hangsUp: true }),
  };
}

/** Two consoles cannot be at one place. */
function tellShared(reading: Reading, own: string, servers: readonly ServerConfig[]): void {
  const places = new Map([[own, '[console]']]);
  const byName = new Map(servers.map((server) => [server.name, server]));
  for (const { section, name } of reading.of('openvpn', false)) {
    const console = byName.get(name)?.console;
    if (!console) continue;
    const { socket, listen } = console;
    for (const place of [socket, ...(listen ? [`${listen.host} ${listen.port}`] : [])]) {
      const other = places.get(place);
      if (other !== undefined)
        reading.complain(section, `its console is at ${place}, as that of ${other} is`);
      places.set(place, sectionTitle(section));
    }
  }
}

function readServers(reading: Reading, directory: string): ServerConfig[] {
  const servers: ServerConfig[] = [];
  const unheard = new Map<string, IniSection>();
  let any = false;
  for (const { section, name } of reading.of('openvpn')) {
    any = true;
    reading.named(section, name, readName);
    const values = reading.read('openvpn', section);
    if (!values) continue;
    const { management, 'password-file': passwordFile, 'management-user': managementUser, events } = values;
    const console = readServerConsole(reading, section, name, values, directory);
    for (const key of ['password-file', 'management-user'] as const) {
      if (values[key] === undefined || management) continue;
      const message = `${key} is of no use without management; add that or take this away`;
      reading.complain(section, message, entryOf(section, key));
    }
    if (management && 'host' in management && !isLoopback(management.host) && passwordFile === undefined) {
      const message =
        `management: ${management.host} can be reached from other hosts; ` +
        'set password-file here and in OpenVPN, or use a unix socket';
      reading.complain(section, message, entryOf(section, 'management'));
    }
    const other = management ? undefined : unheard.get(events);
    if (other) {
      const message =
        `shares the events directory ${events} with ${sectionTitle(other)} (line ${other.line}), and neither has a ` +
        'management, so nobody could tell whose client is whose; give one of them management or its own events';
      reading.complain(section, message, entryOf(section, 'events'));
    }
    if (!management && !other) unheard.set(events, section);
    servers.push({
      name,
      events,
      ...(management && { management }),
      ...(passwordFile !== undefined && { passwordFile }),
      ...(managementUser !== undefined && { managementUser }),
      ...(console && { console }),
    });
  }
  const meant = any || reading.problems.some(({ section }) => section?.startsWith('[openvpn'));
  if (!meant) {
    reading.problems.push({ message: 'no [openvpn NAME] section; name at least one OpenVPN server' });
  }
  return servers;
}

function readPaths(reading: Reading): { readonly paths: PathConfig[]; readonly names: ReadonlySet<string> } {
  const paths: PathConfig[] = [];
  const names = new Set<string>();
  const placed: (PlacedPrefix & { readonly section: IniSection; readonly entry: IniEntry })[] = [];
  for (const { section, name } of reading.of('path')) {
    names.add(name);
    reading.named(section, name, readPathName);
    const values = reading.read('path', section);
    if (!values) continue;
    const entries = section.entries.filter(({ key }) => key === 'prefix');
    for (const [index, prefixes] of values.prefix.entries()) {
      const entry = entries[index];
      if (!entry) continue;
      for (const prefix of prefixes) placed.push({ path: name, prefix, line: entry.line, section, entry });
    }
    const { capacity } = values;
    const texts = [...new Set(values.prefix.flat().map(({ text }) => text))];
    paths.push({ name, prefixes: texts, ...(capacity && { capacity }) });
  }
  const places = new Map<PlacedPrefix, (typeof placed)[number]>(placed.map((place) => [place, place]));
  for (const { outer, inner } of overlaps(placed)) {
    const [earlier, later] = outer.line <= inner.line ? [outer, inner] : [inner, outer];
    const place = places.get(later);
    if (!place) continue;
    const message =
      `prefix: paths ${earlier.path} (${earlier.prefix.text}, line ${earlier.line}) and ${later.path} ` +
      `(${later.prefix.text}) overlap in ${inner.prefix.text}; an address can be on one path only`;
    reading.complain(place.section, message, place.entry);
  }
  return { paths, names };
}

function readRule(
  reading: Reading,
  kind: 'client' | 'default',
  section: IniSection,
  paths: ReadonlySet<string>,
  all: readonly string[],
): RuleConfig | undefined {
  const read = reading.read(kind, section);
  if (!read) return undefined;
  const { mode, primary, allowed, 'min-rate': minRate, cost, 'peer-backup': peerBackup } = read;
  const complain = (key: string, message: string) => {
    reading.complain(section, `${key}: ${message}`, entryOf(section, key));
  };
  const named = [
    ...(primary ?? []).map((name) => ['primary', name] as const),
    ...(allowed ?? []).map((name) => ['allowed', name] as const),
    ...(cost ?? []).map(([name]) => ['cost', name] as const),
  ];
  for (const [key, name] of named) {
    if (paths.has(name)) continue;
    const known =
      paths.size > 0 ? `known: ${[...paths].slice(0, 20).join(', ')}` : 'the file defines no path at all';
    complain(key, `no [path ${name}] is defined${hint(name, paths)}; ${known}`);
  }
  const costs = new Map(cost);
  if (cost && costs.size < cost.length) complain('cost', 'a path stands there twice');
  if (allowed?.length === 0) complain('allowed', 'no path is left; take the line away to allow every one');
  const keys: ModeKeys = MODE_KEYS[mode];
  if (keys.paths === 'primary') {
    if (!primary) reading.complain(section, `needs a \`primary\`: ${keys.remedy}`);
    else if (primary.length < keys.fewestPaths) complain('primary', keys.remedy);
    const open = new Set(allowed);
    const barred = (allowed && primary?.filter((name) => paths.has(name) && !open.has(name))) ?? [];
    for (const name of barred) complain('primary', `${name} is not among those allowed`);
  }
  return {
    mode,
    primary: primary ?? [],
    // one list for all of them: thousands of sections beside a thousand paths
    allowed: allowed ?? (primary?.length ? primary : all),
    ...(minRate && { minRate }),
    ...(cost && { cost: Object.fromEntries(costs) }),
    peerBackup,
  };
}

/** The values of a section that stands at most once; the defaults where it does not stand or is wrong. */
function readOnly<K extends 'kernel' | 'console' | 'steering'>(
  reading: Reading,
  kind: K,
): z.output<(typeof sections)[K]> {
  const [first] = [...reading.of(kind)];
  const values = first && reading.read(kind, first.section);
  return values ?? (sections[kind].parse({}) as z.output<(typeof sections)[K]>);
}

/** The first problems in the order of the file, and how many more there are. */
function sorted(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const inOrder = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const told = inOrder
    .slice(0, MOST_PROBLEMS)
    .map(({ message, ...rest }) => ({ ...rest, message: clip(message) }));
  const more = problems.length - told.length;
  return more > 0 ? [...told, { message: `and ${more} more mistakes` }] : told;
}

/** A value that is quoted may be as long as the file. */
function clip(message: string): string {
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message;
}

/** Reads and checks the text of `subflowd.ini`. Does no I/O: whether files and groups exist is for others to ask. */
export function parseConfig(text: string): ParseResult {
  if (text.length > LONGEST_TEXT) {
    return { ok: false, problems: [{ message: `is larger than ${LONGEST_TEXT} characters` }] };
  }
  if (text.trim() === '') return { ok: false, problems: [{ message: 'the file is empty' }] };
  const reading = new Reading(text);
  if (reading.isExceeded) return { ok: false, problems: sorted(reading.problems) };
  const kernel = readOnly(reading, 'kernel');
  const { group, ...console } = readOnly(reading, 'console');
  const { 'dry-run': dryRun, 'max-subflows': maxSubflows, ...steering } = readOnly(reading, 'steering');
  const servers = readServers(reading, posix.dirname(console.socket));
  tellShared(reading, console.socket, servers);
  const { paths, names } = readPaths(reading);
  const all = [...names];
  const clients: ClientConfig[] = [];
  for (const { section, name } of reading.of('client')) {
    const rule = readRule(reading, 'client', section, names, all);
    if (rule) clients.push({ glob: name, ...rule });
  }
  let fallback: RuleConfig = {
    mode: DEFAULT_MODE,
    primary: [],
    allowed: all,
    peerBackup: 'respect',
  };
  for (const { section } of reading.of('default')) {
    fallback = readRule(reading, 'default', section, names, all) ?? fallback;
  }
  if (reading.problems.length > 0) return { ok: false, problems: sorted(reading.problems) };
  return {
    ok: true,
    config: {
      servers,
      kernel,
      console: { ...console, ...(group !== undefined && { group }) },
      paths,
      clients,
      default: fallback,
      steering: { dryRun: dryRun === 'yes', maxSubflows, ...steering },
    },
  };
}
