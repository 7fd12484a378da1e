import { isIP } from 'node:net';
import { canonicalAddress, formatEndpoint } from '../../model/endpoint.js';
import { type Session, qualifiedName } from '../../model/session.js';
import { isPrintable } from '../../util/printable.js';
import { hint } from '../../util/nearest.js';
import { quoteWord } from '../../util/words.js';

/** The client that a word means, as `SERVER/COMMON NAME`, or why there is not exactly one. */
export type ClientMatch = { readonly key: string } | { readonly problem: string };

/** Largest number of clients that the answer lists if a word means several. */
export const MAX_NAMED_CLIENTS = 10;
/** Words that mean something other than a client to the console. */
const RESERVED = new Set(['', 'json', '--']);
/** Prefix of a `SERVER/COMMON NAME` that must not be read as anything else. */
const EXACT_PREFIX = '=';

/**
 * Finds the client that a word means: a common name, a CID, a real address with or without its port, or a virtual address,
 * each with or without `SERVER/` before it. None of these is preferred. A word that means several clients is refused, and the
 * message has an unambiguous word for each. `=SERVER/COMMON NAME` means only that client, unless another client's name is the
 * same text.
 * @param others keys of clients that have left and can still be meant.
 * @param server whose clients are meant; undefined: those of all servers.
 */
export function findClient(
  word: string,
  sessions: readonly Session[],
  others: readonly string[] = [],
  server?: string,
): ClientMatch {
  const candidates = sessions.filter((session) => server === undefined || session.server === server);
  const departed = others.filter((key) => server === undefined || key.startsWith(`${server}/`));
  const found = new Set<string>();
  const spellings = new Set([word, canonical(word)]);
  forEachName(candidates, departed, (name, key) => {
    if (spellings.has(name)) found.add(key);
  });
  const [first] = found;
  if (first === undefined)
    return {
      problem:
        `no client ${JSON.stringify(word)} is connected` +
        `${hint(word, namesToSuggest(word, candidates))}: status shows which are`,
    };
  if (found.size === 1) return { key: first };
  const keys = [...found].sort();
  const words = unambiguousWords(keys.slice(0, MAX_NAMED_CLIENTS), candidates, departed);
  const more = keys.length > MAX_NAMED_CLIENTS ? `, or ${keys.length - MAX_NAMED_CLIENTS} more` : '';
  return { problem: `${JSON.stringify(word)} means several clients: use ${words.join(' or ')}${more}` };
}

/** The names that a mistyped word may have meant: common names, with `SERVER/` if the word has a slash. */
function namesToSuggest(word: string, sessions: readonly Session[]): string[] {
  return sessions.map((session) => (word.includes('/') ? qualifiedName(session) : session.commonName));
}

/**
 * Calls back with every name of every client and the client's key. The best names of a client come first.
 * @param departed the keys of clients that have left.
 */
function forEachName(
  sessions: readonly Session[],
  departed: readonly string[],
  callback: (name: string, key: string) => void,
): void {
  for (const session of sessions) {
    const key = qualifiedName(session);
    for (const name of namesOf(session)) callback(name, key);
    callback(`${EXACT_PREFIX}${key}`, key);
  }
  for (const key of departed) {
    callback(key, key);
    callback(key.slice(key.indexOf('/') + 1), key);
    callback(`${EXACT_PREFIX}${key}`, key);
  }
}

/** Returns the names of a client, the best first: with its server, and then without. */
function namesOf({ server, commonName, cid, real, virtual }: Session): readonly string[] {
  const numbers = cid === undefined ? [] : [String(cid)];
  const names = [commonName, ...numbers, formatEndpoint(real), ...virtual, real.address];
  return [...names.map((name) => `${server}/${name}`), ...names];
}

/** Returns for each client a word that means no other client, quoted for a console and for a shell. */
function unambiguousWords(
  keys: readonly string[],
  sessions: readonly Session[],
  departed: readonly string[],
): string[] {
  const uniqueNames = findUniqueNames(sessions, departed);
  return keys.map((key) => {
    const word = uniqueNames.get(key)?.find(isPlain);
    return word === undefined ? quoteWord(`${EXACT_PREFIX}${key}`) : `"${word}"`;
  });
}

/** Returns the best word to type for each client: its common name, if that is printable and means no other client. */
export function wordsForClients(sessions: readonly Session[]): string[] {
  const uniqueNames = findUniqueNames(sessions, []);
  const names = new Map(sessions.map((session) => [qualifiedName(session), session.commonName]));
  return [...names].map(([key, commonName]) => {
    const words = uniqueNames.get(key) ?? [];
    const fits = (word: string) => !RESERVED.has(word) && isPrintable(word);
    return fits(commonName) && words.includes(commonName)
      ? commonName
      : (words.find(fits) ?? `${EXACT_PREFIX}${key}`);
  });
}

/** Returns by key the names of each client that no other client has, the best first. */
function findUniqueNames(
  sessions: readonly Session[],
  departed: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string>();
  const sharedNames = new Set<string>();
  const names = new Map<string, Set<string>>();
  forEachName(sessions, departed, (name, key) => {
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, key);
    else if (owner !== key) sharedNames.add(name);
    const known = names.get(key);
    if (known === undefined) names.set(key, new Set([name]));
    else known.add(name);
  });
  return new Map([...names].map(([key, all]) => [key, [...all].filter((name) => !sharedNames.has(name))]));
}

/** Whether a text in double quotes stays as it is, at a console and in a shell, and is printable. */
function isPlain(text: string): boolean {
  return /^[\p{L}\p{M}\p{N} _.:@%+,/[\]=-]+$/u.test(text) && !text.startsWith('-') && isPrintable(text);
}

/** Returns an address in the form that sessions have; any other word unchanged. */
function canonical(word: string): string {
  const slash = word.indexOf('/') + 1;
  const bare = word.slice(slash);
  return isIP(bare) === 0 || bare.includes('%') ? word : word.slice(0, slash) + canonicalAddress(bare);
}
