/** A `[client GLOB]` name, ready to be matched. */
export interface Glob {
  /** Characters (code points) that are neither `*` nor `?`. */
  readonly literals: number;
  readonly stars: number;
  /** @param name by its code points where many globs are asked of one name, so that it is taken apart once. */
  matches(name: string | readonly string[]): boolean;
}

/**
 * Reads a glob: `*` stands for any characters, also none, `?` for exactly one (a Unicode code point), everything else
 * for itself. Matching takes at most (length of the glob) x (length of the name) steps.
 */
export function readGlob(text: string): Glob {
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
  // The last star and what it stands for so far. An earlier star never has to be tried again: whatever it could still
  // take, the last one can take as well.
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
