import ipaddr from 'ipaddr.js';
import { formatEndpoint } from '../endpoint.js';
import type { Session } from '../openvpn/session.js';
import { overrideKey } from '../steering/rule.js';

/** Which client is meant, as `SERVER/COMMON NAME`, or why that cannot be told. */
export type Meant = { readonly key: string } | { readonly problem: string };

/**
 * Finds the client that a word means: `SERVER/COMMON NAME`, or a common name, a CID, a real address with or without its
 * port, or a virtual address, each with or without `SERVER/` before it.
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
  const keys = new Set([...own.map(overrideKey), ...others.filter((key) => isOf(key, server))]);
  if (keys.has(word)) return { key: word };
  const found = new Set([
    ...own.filter((session) => namesOf(session).has(canonical(word))).map(overrideKey),
    ...[...keys].filter((key) => key.slice(key.indexOf('/') + 1) === word),
  ]);
  const [only] = found;
  if (only !== undefined && found.size === 1) return { key: only };
  const quoted = [...found].sort().map((key) => JSON.stringify(key));
  return found.size === 0
    ? { problem: `no client ${JSON.stringify(word)} is connected: status shows who is` }
    : { problem: `${JSON.stringify(word)} is several clients: say ${quoted.join(' or ')}` };
}

function isOf(key: string, server: string | undefined): boolean {
  return server === undefined || key.startsWith(`${server}/`);
}

function namesOf({ server, commonName, cid, real, virtual }: Session): ReadonlySet<string> {
  const names = [commonName, real.address, formatEndpoint(real), ...virtual];
  if (cid !== undefined) names.push(String(cid));
  return new Set([...names, ...names.map((name) => `${server}/${name}`)]);
}

/** An address as sessions have it, however it was typed; anything else as it is. */
function canonical(word: string): string {
  const slash = word.indexOf('/') + 1;
  const bare = word.slice(slash);
  return ipaddr.isValid(bare) && /[.:]/.test(bare)
    ? word.slice(0, slash) + ipaddr.process(bare).toString()
    : word;
}
