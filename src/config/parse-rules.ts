import { DEFAULT_MODE, MODE_KEYS, type ModeKeys } from '../model/mode.js';
import { hint } from '../util/nearest.js';
import type { ClientConfig, RuleConfig } from './config.js';
import { entryOf, type ConfigParser, type SectionValues } from './config-parser.js';
import type { IniSection } from './lines.js';

/** The most path names that a message lists. */
const MAX_LISTED = 20;

/** Parses all `[client GLOB]` sections, and `[default]`. @param paths the names of all paths. */
export function parseRules(
  parser: ConfigParser,
  paths: ReadonlySet<string>,
): { readonly clients: ClientConfig[]; readonly default: RuleConfig } {
  // all rules share this list: thousands of sections can refer to a thousand paths
  const all = [...paths];
  const clients: ClientConfig[] = [];
  for (const { section, name } of parser.sectionsOf('client')) {
    const rule = parseRule(parser, 'client', section, paths, all);
    if (rule) clients.push({ glob: name, ...rule });
  }
  let fallback: RuleConfig = { mode: DEFAULT_MODE, primary: [], allowed: all, peerBackup: 'respect' };
  for (const { section } of parser.sectionsOf('default')) {
    fallback = parseRule(parser, 'default', section, paths, all) ?? fallback;
  }
  return { clients, default: fallback };
}

function parseRule(
  parser: ConfigParser,
  kind: 'client' | 'default',
  section: IniSection,
  paths: ReadonlySet<string>,
  all: readonly string[],
): RuleConfig | undefined {
  const values = parser.valuesOf(kind, section);
  if (!values) return undefined;
  checkPathNames(parser, section, values, paths);
  const {
    mode,
    primary,
    allowed,
    'min-rate': minRate,
    cost,
    quota,
    both,
    'peer-backup': peerBackup,
  } = values;
  const { 'quota-day': quotaDay, 'rejoin-after': rejoinAfter } = values;
  for (const key of ['cost', 'quota'] as const) {
    const listed: readonly (readonly [path: string, value: unknown])[] = values[key] ?? [];
    if (new Map(listed).size < listed.length) parser.addKeyProblem(section, key, 'a path is listed twice');
  }
  if (quotaDay !== undefined && !quota?.some(([, { period }]) => period === 'month')) {
    parser.addKeyProblem(section, 'quota-day', 'no `quota` here is per month; add one, or remove the line');
  }
  if (allowed?.length === 0) {
    parser.addKeyProblem(section, 'allowed', 'no path is listed; remove the line to allow all paths');
  }
  checkPrimary(parser, section, values, paths);
  return {
    mode,
    primary: primary ?? [],
    allowed: allowed ?? (primary?.length ? primary : all),
    ...(minRate && { minRate }),
    ...(cost && { cost: Object.fromEntries(cost) }),
    ...(quota && { quota: Object.fromEntries(quota) }),
    ...(quotaDay !== undefined && { quotaDay }),
    ...(rejoinAfter !== undefined && { rejoinAfter }),
    ...(both === 'when-full' && { both }),
    peerBackup,
  };
}

/** Reports every name of a path that no section defines. */
function checkPathNames(
  parser: ConfigParser,
  section: IniSection,
  { primary = [], allowed = [], cost = [], quota = [] }: SectionValues<'client'>,
  paths: ReadonlySet<string>,
): void {
  const named = [
    ...primary.map((name) => ['primary', name] as const),
    ...allowed.map((name) => ['allowed', name] as const),
    ...cost.map(([name]) => ['cost', name] as const),
    ...quota.map(([name]) => ['quota', name] as const),
  ];
  for (const [key, name] of named) {
    if (paths.has(name)) continue;
    const known =
      paths.size > 0 ? `known: ${[...paths].slice(0, MAX_LISTED).join(', ')}` : 'the file defines no path';
    const near = listHint(name, paths) ?? hint(name, paths);
    parser.addKeyProblem(section, key, `no [path ${name}] is defined${near}; ${known}`);
  }
}

/** What a list without commas or with quotes was meant to be; undefined if its words are not paths. */
function listHint(name: string, paths: ReadonlySet<string>): string | undefined {
  const words = name.split(/["'\s;]+/).filter(Boolean);
  const isList = words.length > 0 && words.join() !== name && words.every((word) => paths.has(word));
  return isList ? ` (did you mean \`${words.join(', ')}\`?)` : undefined;
}

/** Reports a `primary` that is missing, too short or not allowed, if the mode uses it. */
function checkPrimary(
  parser: ConfigParser,
  section: IniSection,
  { mode, primary, allowed }: SectionValues<'client'>,
  paths: ReadonlySet<string>,
): void {
  const keys: ModeKeys = MODE_KEYS[mode];
  if (keys.paths !== 'primary') return;
  if (!primary) parser.addProblem(section, `needs a \`primary\`: ${keys.remedy}`);
  else if (primary.length < keys.fewestPaths) parser.addKeyProblem(section, 'primary', keys.remedy);
  if (!allowed || !primary) return;
  const isAllowed = new Set(allowed);
  for (const name of primary) {
    if (paths.has(name) && !isAllowed.has(name)) {
      parser.addKeyProblem(section, 'primary', `${name} is not listed in \`allowed\`; add it there`);
    }
  }
}

/** Reports each `rejoin-after` if no server has a management interface, by which clients are disconnected. */
export function checkRejoins(parser: ConfigParser, hasManagement: boolean): void {
  if (hasManagement) return;
  for (const kind of ['client', 'default'] as const) {
    for (const { section } of parser.sectionsOf(kind, false)) {
      if (!entryOf(section, 'rejoin-after')) continue;
      const message =
        'clients are disconnected by the management interface of OpenVPN; set `management` in [openvpn], or remove the line';
      parser.addKeyProblem(section, 'rejoin-after', message);
    }
  }
}
