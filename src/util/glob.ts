/** The parsed GLOB of a `[client GLOB]` section. */
export interface Glob {
  /** Characters (code points) that are neither `*` nor `?`. */
  readonly literals: number;
  readonly stars: number;
  /** @param name as an array of code points if many globs are matched with one name, so that it is split only once. */
  matches(name: string | readonly string[]): boolean;
}

/**
 * Parses a glob: `*` matches any characters, also none; `?` matches exactly one Unicode code point; all others match
 * themselves. Matching takes at most (length of the glob) x (length of the name) steps.
 */
export function parseGlob(text: string): Glob {
  const glob = Array.from(text);
  const stars = glob.filter((character) => character === '*').length;
  const literals = glob.filter((character) => character !== '*' && character !== '?').length;
  return {
    literals,
    stars,
    matches: (name) => matches(glob, typeof name === 'string' ? Array.from(name) : name),
  };
}

function matches(glob: readonly string[], name: readonly string[]): boolean {
  let at = 0;
  // The last star and the characters that it matches so far. Earlier stars need no second try: the last one can match
  // whatever an earlier one could.
  let star = -1;
  let taken = 0;
  for (let next = 0; next < name.length;) {
    if (glob[at] === '*') {
      star = at++;
      taken = next;
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === name[next])) {
      at++;
      next++;
    } else if (star >= 0) {
      at = star + 1;
      next = ++taken;
    } else {
      return false;
    }
  }
  while (glob[at] === '*') at++;
  return at === glob.length;
}
