import { isIP } from 'node:net';
import { canonicalAddress, formatEndpoint } from '../../model/endpoint.js';
import { type Session, qualifiedName } from '../../model/session.js';
import { isPrintable } from '../../util/printable.js';
import { quoteWord } from '../../util/words.js';

/** Which client is meant, as `SERVER/COMMON NAME`, or why that cannot be told. */
export type Meant = { readonly key: string } | { readonly problem: string };

/** Clients that are named one by one where a word means several. */
export const MOST_NAMED = 10;
/** Words that the console reads as something else than a client. */
const TAKEN = new Set(['', 'json', '--']);
/** Before a `SERVER/COMMON NAME` that is to be read as that only. */
const EXACTLY = '=';

/**
 * Finds the client that a word means: `SERVER/COMMON NAME`, or a common name, a CID, a real address with or without its
 * port, or a virtual address, each with or without `SERVER/` before it. None of these goes before another: a word that
 * means one client by one of them and a second client by another is refused, with a word for each that means only it.
 * `=SERVER/COMMON NAME` is never read as anything else, unless a client has such a name.
 * @param others keys that count as well: of clients that have left.
 * @param server the only one whose clients are meant; undefined: those of all.
 */
export function findClient(
  word: string,
  sessions: readonly Session[],
  others: readonly string[] = [],
  server?: string,
): Meant {
  const own = sessions.filter((session) => server === undefined || session.server === server);
  const left = others.filter((key) => server === undefined || key.startsWith(`${server}/`));
  const found = new Set<string>();
  const spellings = new Set([word, canonical(word)]);
  forEachName(own, left, (name, key) => {
    if (spellings.has(name)) found.add(key);
  });
  const [only] = found;
  if (only === undefined)
    return { problem: `no client ${JSON.stringify(word)} is connected: status shows who is` };
  if (found.size === 1) return { key: only };
  const keys = [...found].sort();
  const words = unambiguous(keys.slice(0, MOST_NAMED), own, left);
  const more = keys.length > MOST_NAMED ? `, or ${keys.length - MOST_NAMED} more` : '';
  return { problem: `${JSON.stringify(word)} is several clients: say ${words.join(' or ')}${more}` };
}

/** Every name of every client, with the client's key; the first names of a client are the best to call it by. */
function forEachName(
  sessions: readonly Session[],
  left: readonly string[],
  take: (name: string, key: string) => void,
): void {
  for (const session of sessions) {
    const key = qualifiedName(session);
    for (const name of namesOf(session)) take(name, key);
    take(`${EXACTLY}${key}`, key);
  }
  for (const key of left) {
    take(key, key);
    take(key.slice(key.indexOf('/') + 1), key);
    take(`${EXACTLY}${key}`, key);
  }
}

function namesOf({ server, commonName, cid, real, virtual }: Session): readonly string[] {
  const numbers = cid === undefined ? [] : [String(cid)];
  const names = [commonName, ...numbers, formatEndpoint(real), ...virtual, real.address];
  return [...names.map((name) => `${server}/${name}`), ...names];
}

/** For each client a word that means no other, quoted so that a console and a shell both take it as it is. */
function unambiguous(
  keys: readonly string[],
  sessions: readonly Session[],
  left: readonly string[],
): string[] {
  const means = namesMeaningOne(sessions, left);
  return keys.map((key) => {
    const word = means.get(key)?.find(isPlain);
    return word === undefined ? quoteWord(`${EXACTLY}${key}`) : `"${word}"`;
  });
}

/** The best word to type for each client: its common name where that is seen as it is and means no other. */
export function wordsForClients(sessions: readonly Session[]): string[] {
  const means = namesMeaningOne(sessions, []);
  const names = new Map(sessions.map((session) => [qualifiedName(session), session.commonName]));
  return [...names].map(([key, commonName]) => {
    const words = means.get(key) ?? [];
    const fits = (word: string) => !TAKEN.has(word) && isPrintable(word);
    return fits(commonName) && words.includes(commonName)
      ? commonName
      : (words.find(fits) ?? `${EXACTLY}${key}`);
  });
}

/** By key, those names of each client that no other client has, the best first. */
function namesMeaningOne(
  sessions: readonly Session[],
  left: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const sharers = new Map<string, string | undefined>();
  const names = new Map<string, Set<string>>();
  forEachName(sessions, left, (name, key) => {
    sharers.set(name, sharers.get(name) === key || !sharers.has(name) ? key : undefined);
    const known = names.get(key);
    if (known === undefined) names.set(key, new Set([name]));
    else known.add(name);
  });
  return new Map([...names].map(([key, all]) => [key, [...all].filter((name) => sharers.get(name) === key)]));
}

/** Whether a text in double quotes is itself, at a console and in a shell, and is seen as it is. */
function isPlain(text: string): boolean {
  return /^[\p{L}\p{M}\p{N} _.:@%+,/[\]=-]+$/u.test(text) && !text.startsWith('-') && isPrintable(text);
}

/** An address as sessions have it, however it was typed; anything else as it is. */
function canonical(word: string): string {
  const slash = word.indexOf('/') + 1;
  const bare = word.slice(slash);
  return isIP(bare) === 0 || bare.includes('%') ? word : word.slice(0, slash) + canonicalAddress(bare);
}
