import type { PathConfig } from '../config/config.js';
import type { Session } from '../openvpn/session.js';
import { overrideKey } from '../steering/rule.js';
import { printable, printableJson } from './printable.js';
import type { Seat } from './seat.js';
import type { Sharing } from './sharing.js';
import type { DaemonStatus } from './status.js';
import { statusText } from './status-text.js';
import { splitWords, WordsError } from './words.js';

/** What the console's commands need of the daemon. */
export interface Commanded {
  status(): DaemonStatus;
  paths(): readonly PathConfig[];
  sessions(): readonly Session[];
  /** Sets or (undefined) takes back an override, durably, and resolves when the switch was tried. */
  setOverride(key: string, path: string | undefined): Promise<void>;
}

/** An answer's lines; `hangUp` ends the client after them. */
export interface Answer {
  readonly lines: readonly string[];
  readonly hangUp?: boolean;
}

const HELP = [
  'mptcp status            sessions, their subflows, whose wish is what, rule, primary',
  'mptcp status json       the same, as one line of JSON',
  'mptcp primary CLIENT PATH',
  '                        this client on that path, whatever the rules say, until taken back',
  'mptcp primary CLIENT auto',
  '                        take it back: the rules decide again',
  'help                    this list',
  'exit, quit              end this connection',
  'CLIENT is a common name, or SERVER/COMMON NAME where two servers know it; "quote" blanks.',
];

/** The client's seat at an OpenVPN, where the console has one behind it. */
export interface Seated {
  readonly sharing: Sharing;
  readonly seat: Seat;
}

/** Runs one line of a console client, in the manner of OpenVPN's management interface: SUCCESS:, ERROR:, or END. */
export async function runCommand(daemon: Commanded, line: string, seated?: Seated): Promise<Answer> {
  let words: string[];
  try {
    words = splitWords(line);
  } catch (error) {
    if (error instanceof WordsError) return failure(error.message);
    throw error;
  }
  const [first, second, ...rest] = words;
  if (first === undefined) return { lines: [] };
  if (first === 'exit' || first === 'quit') return { lines: [], hangUp: true };
  if (first === 'help') return block(HELP);
  if (first !== 'mptcp') return failure(`unknown command ${JSON.stringify(first)}, try help`);
  if (second === undefined || second === 'help') return block(HELP);
  if (second === 'status') return status(daemon, rest);
  if (second === 'primary') return primary(daemon, rest);
  if (second === 'claim' || second === 'release') return claim(second, rest, seated);
  return failure(`unknown command ${JSON.stringify(`mptcp ${second}`)}, try help`);
}

function status(daemon: Commanded, rest: readonly string[]): Answer {
  if (rest.length === 0) return block(statusText(daemon.status()));
  if (rest.length === 1 && rest[0] === 'json') return block([printableJson(daemon.status())]);
  return failure('mptcp status takes nothing, or json');
}

async function primary(daemon: Commanded, rest: readonly string[]): Promise<Answer> {
  const [client, path, ...more] = rest;
  if (client === undefined || path === undefined || more.length > 0) {
    return failure('mptcp primary takes a CLIENT and a PATH, or auto');
  }
  const key = keyOf(daemon, client);
  if (typeof key !== 'string') return failure(key.problem);
  const known = daemon.paths().map(({ name }) => name);
  if (path !== 'auto' && !known.includes(path)) {
    return failure(`there is no path ${JSON.stringify(path)}; the paths are ${known.join(', ') || 'none'}`);
  }
  try {
    await daemon.setOverride(key, path === 'auto' ? undefined : path);
  } catch (error) {
    return failure(`the override cannot be kept: ${(error as Error).message}`);
  }
  const states = daemon
    .status()
    .sessions.filter(({ session }) => overrideKey(session) === key)
    .map(({ state, reason }) => `${state}, ${reason}`);
  return { lines: [`SUCCESS: ${printable(`${key}: ${states.join('; ') || 'not connected now'}`)}`] };
}

function claim(verb: 'claim' | 'release', [what, ...more]: readonly string[], seated?: Seated): Answer {
  if ((what !== 'auth' && what !== 'questions') || more.length > 0)
    return failure(
      `mptcp ${verb} takes auth (client-auth and its like) or questions (password, needok, ...)`,
    );
  if (seated === undefined)
    return failure('there is no one OpenVPN behind this console: use that of a server');
  return seated.sharing[verb](seated.seat, what);
}

/** The key of the one client meant. An override of a client that left can still be taken back. */
function keyOf(daemon: Commanded, client: string): string | { problem: string } {
  const keys = new Set([...daemon.sessions().map(overrideKey), ...Object.keys(daemon.status().overrides)]);
  if (keys.has(client)) return client;
  const found = [...keys].filter((key) => key.slice(key.indexOf('/') + 1) === client);
  if (found.length === 1) return found[0] as string;
  return found.length === 0
    ? { problem: `no client ${JSON.stringify(client)} is connected: status shows who is` }
    : {
        problem: `${JSON.stringify(client)} is several clients: say ${found.map((key) => JSON.stringify(key)).join(' or ')}`,
      };
}

/** No line of a block may be taken for its end. */
function block(lines: readonly string[]): Answer {
  return { lines: [...lines.map((line) => (line === 'END' ? ' END' : line)), 'END'] };
}

export function failure(message: string): Answer {
  return { lines: [`ERROR: ${printable(message)}`] };
}
