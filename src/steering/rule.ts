import type { Config, RuleConfig } from '../config/config.js';
import { MODE_KEYS } from '../model/mode.js';
import { readGlob } from '../util/glob.js';

/** What is asked for a client, and who asks. */
export interface Rule extends RuleConfig {
  /** `[client GLOB]` as written, `[default]`, or `override` for an admin's command. */
  readonly section: string;
}

/** The paths that a rule's mode wants: `primary` in the order of preference, or `allowed`. */
export function wantedPaths(rule: RuleConfig): readonly string[] {
  return rule[MODE_KEYS[rule.mode].paths];
}

/** Admins' `primary CLIENT PATH` until taken back: the path's name by {@link qualifiedName}. */
export type Overrides = ReadonlyMap<string, string>;

/**
 * Finds every rule that fits a common name, the one that counts first. The section whose name is exactly the common name wins; else, of those that match,
 * the one with the most characters other than `*` and `?`, then with the fewest `*`, then the first in the file;
 * `[default]` where none matches.
 */
export function rulesFinder(
  config: Pick<Config, 'clients' | 'default'>,
): (commonName: string) => readonly [Rule, ...Rule[]] {
  const rules = config.clients.map(({ glob, ...rule }) => ({
    glob,
    rule: { section: `[client ${glob}]`, ...rule },
  }));
  // A common name may hold a `*` itself: equal is equal.
  const exact = new Map(rules.map(({ glob, rule }) => [glob, rule]));
  const globs = rules
    .map(({ glob, rule }) => ({ glob: readGlob(glob), rule, wild: /[*?]/.test(glob) }))
    .filter(({ wild }) => wild)
    .sort(({ glob: a }, { glob: b }) => b.literals - a.literals || a.stars - b.stars);
  const fallback: Rule = { section: '[default]', ...config.default };
  return (commonName) => {
    const same = exact.get(commonName);
    const characters = Array.from(commonName);
    const fit = globs.filter(({ glob }) => glob.matches(characters)).map(({ rule }) => rule);
    const [first = fallback, ...others] = [...(same ? [same] : []), ...fit.filter((rule) => rule !== same)];
    return first === fallback ? [fallback] : [first, ...others, fallback];
  };
}

/** A config lives over many looks, and each shows the same names again. */
const finders = new WeakMap<Pick<Config, 'clients' | 'default'>, (commonName: string) => Rule>();
/** Names that are remembered: more than a server has clients. */
const MOST_REMEMBERED = 65_536;

/** The rule that counts for a common name; see {@link rulesFinder}. Remembered as long as the config is there. */
export function ruleFinder(config: Pick<Config, 'clients' | 'default'>): (commonName: string) => Rule {
  const known = finders.get(config);
  if (known) return known;
  const rulesOf = rulesFinder(config);
  const found = new Map<string, Rule>();
  const finder = (commonName: string) => {
    const remembered = found.get(commonName);
    if (remembered) return remembered;
    if (found.size >= MOST_REMEMBERED) found.clear();
    const [rule] = rulesOf(commonName);
    found.set(commonName, rule);
    return rule;
  };
  finders.set(config, finder);
  return finder;
}
