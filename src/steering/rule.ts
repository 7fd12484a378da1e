import type { Config, RuleConfig } from '../config/config.js';
import { MODE_KEYS } from '../model/mode.js';
import { parseGlob } from '../util/glob.js';

/** What a section of the config or an override asks for a client. */
export interface Rule extends RuleConfig {
  /** `[client GLOB]` as written, `[default]`, or `override` for an admin's command. */
  readonly section: string;
}

/** The paths that a rule's mode wants: `primary` in the order of preference, or `allowed`. */
export function wantedPaths(rule: RuleConfig): readonly string[] {
  return rule[MODE_KEYS[rule.mode].paths];
}

/** The overrides in force: by `qualifiedName` of the client, the name of its path. */
export type Overrides = ReadonlyMap<string, string>;

/**
 * Finds all rules that match a common name. The first one applies:
 * 1. the section whose glob is exactly the common name
 * 2. of the globs that match, the one with the most characters other than `*` and `?`
 * 3. of those, the one with the fewest `*`, then the first one in the file
 * 4. `[default]`, if nothing matches.
 */
export function rulesFinder(
  config: Pick<Config, 'clients' | 'default'>,
): (commonName: string) => readonly [Rule, ...Rule[]] {
  const rules = config.clients.map(({ glob, ...rule }) => ({
    glob,
    rule: { section: `[client ${glob}]`, ...rule },
  }));
  // a common name can contain a `*` itself, so equal text is compared first
  const exact = new Map(rules.map(({ glob, rule }) => [glob, rule]));
  const globs = rules
    .map(({ glob, rule }) => ({ glob: parseGlob(glob), rule, wild: /[*?]/.test(glob) }))
    .filter(({ wild }) => wild)
    .sort(({ glob: a }, { glob: b }) => b.literals - a.literals || a.stars - b.stars);
  const fallback: Rule = { section: '[default]', ...config.default };
  return (commonName) => {
    const equal = exact.get(commonName);
    const characters = Array.from(commonName);
    const matching = globs.filter(({ glob }) => glob.matches(characters)).map(({ rule }) => rule);
    const [first = fallback, ...others] = [
      ...(equal ? [equal] : []),
      ...matching.filter((rule) => rule !== equal),
    ];
    return first === fallback ? [fallback] : [first, ...others, fallback];
  };
}

/** Results are remembered, because a config is used for many rounds and each has the same names again. */
const finders = new WeakMap<Pick<Config, 'clients' | 'default'>, (commonName: string) => Rule>();
/** The most names to remember: more than a server has clients. */
const MAX_REMEMBERED = 65_536;

/**
 * Finds the rule that applies to a common name: the first one of {@link rulesFinder}. Remembers its results for as long
 * as the config is referenced.
 */
export function rememberingRuleFinder(
  config: Pick<Config, 'clients' | 'default'>,
): (commonName: string) => Rule {
  const known = finders.get(config);
  if (known) return known;
  const rulesOf = rulesFinder(config);
  const found = new Map<string, Rule>();
  const finder = (commonName: string) => {
    const remembered = found.get(commonName);
    if (remembered) return remembered;
    if (found.size >= MAX_REMEMBERED) found.clear();
    const [rule] = rulesOf(commonName);
    found.set(commonName, rule);
    return rule;
  };
  finders.set(config, finder);
  return finder;
}
