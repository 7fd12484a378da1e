import type { DaemonApi } from '../../api/daemon-api.js';
import { ConfigError } from '../../config/problem.js';
import { qualifiedName } from '../../model/session.js';
import { printableJson } from '../../util/printable.js';
import { splitWords, WordsError } from '../../util/words.js';
import { HELP } from '../common/mptcp-commands.js';
import { failure, success, type Answer } from '../common/answer.js';
import { findClient, type Meant } from '../common/client-words.js';
import { pathsText, rulesText } from '../text/config.js';
import { explainText } from '../text/explain.js';
import type { Seat } from '../sharing/console-client.js';
import type { Sharing } from '../sharing/sharing.js';
import { sessionLines, statusText } from '../text/status.js';

/** Who asks. */
export interface Asker {
  /** Who it is, for people: it is logged with each order. */
  readonly name?: string;
  /** Its seat at an OpenVPN, where the console has one behind it. */
  readonly seat?: { readonly sharing: Sharing; readonly seat: Seat } | undefined;
  /** Of whom CIDs and names are; undefined: of all servers. */
  readonly server?: string | undefined;
  /** Begins or ends to tell it of switches and subflows. */
  readonly setWatching?: (isOn: boolean) => void;
  /** Consoles where OpenVPN's own commands are understood, when they are not here. */
  readonly elsewhere?: readonly string[];
}

/** Runs one line of a console client, in the manner of OpenVPN's management interface: SUCCESS:, ERROR:, or END. */
export async function runCommand(daemon: DaemonApi, line: string, asker: Asker = {}): Promise<Answer> {
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
  if (first !== 'mptcp') return failure(unknown(first, asker));
  switch (second) {
    case undefined:
    case 'help':
      return block(HELP);
    case 'status':
      await daemon.observe();
      return status(daemon, rest, asker);
    case 'primary':
      return primary(daemon, rest, asker);
    case 'paths':
      if (rest.length > 0) return failure('mptcp paths takes nothing');
      await daemon.observe();
      return paths(daemon);
    case 'rules':
      return rules(daemon, rest);
    case 'explain':
      await daemon.observe();
      return explain(daemon, rest, asker);
    case 'watch':
      return watch(rest, asker);
    case 'claim':
    case 'release':
      return claim(second, rest, asker);
    default:
      return failure(`unknown command ${JSON.stringify(`mptcp ${second}`)}, try mptcp help`);
  }
}

function unknown(command: string, { elsewhere = [] }: Asker): string {
  const where =
    elsewhere.length === 0 ? '' : `; OpenVPN's commands are understood at ${elsewhere.join(' and ')}`;
  return `unknown command ${JSON.stringify(command)}, try help${where}`;
}

function paths(daemon: DaemonApi): Answer {
  const { sessions, paths } = daemon.status();
  return block(pathsText(daemon.config(), sessions, paths));
}

function status(daemon: DaemonApi, rest: readonly string[], { server }: Asker): Answer {
  const [client, ...more] = behindDashes(rest);
  const all = daemon.status();
  if (rest.length === 0) return block(statusText(all));
  if (client === undefined || more.length > 0)
    return failure('mptcp status takes nothing, a CLIENT, or json');
  if (rest[0] === 'json') return block([printableJson(all)]);
  const meant = findClient(client, daemon.sessions(), [], server);
  if ('problem' in meant) return failure(meant.problem);
  return block(
    all.sessions.filter(({ session }) => qualifiedName(session) === meant.key).flatMap(sessionLines),
  );
}

async function primary(
  daemon: DaemonApi,
  rest: readonly string[],
  { server, name = 'somebody' }: Asker,
): Promise<Answer> {
  const [client, path, ...more] = behindDashes(rest);
  if (client === undefined || path === undefined || more.length > 0) {
    return failure('mptcp primary takes a CLIENT and a PATH, or auto');
  }
  // an override of a client that left can still be taken back
  const overridden = Object.keys(daemon.status().overrides);
  const meant: Meant = findClient(client, daemon.sessions(), overridden, server);
  if ('problem' in meant) return failure(meant.problem);
  const { key } = meant;
  const known = daemon.config().paths.map((each) => each.name);
  if (path !== 'auto' && !known.includes(path)) {
    return failure(`there is no path ${JSON.stringify(path)}; the paths are ${known.join(', ') || 'none'}`);
  }
  try {
    await daemon.setOverride(key, path === 'auto' ? undefined : path, name);
  } catch (error) {
    return failure(`the override cannot be kept: ${(error as Error).message}`);
  }
  const states = daemon
    .status()
    .sessions.filter(({ session }) => qualifiedName(session) === key)
    .map(({ state, reason }) => `${state}, ${reason}`);
  return success(`${key}: ${states.join('; ') || 'not connected now'}`);
}

async function rules(daemon: DaemonApi, [what, ...more]: readonly string[]): Promise<Answer> {
  if (what === undefined) {
    const { overrides, sessions } = daemon.status();
    return block(rulesText(daemon.config(), overrides, sessions));
  }
  if (what !== 'reload' || more.length > 0) return failure('mptcp rules takes nothing, or reload');
  try {
    await daemon.reload();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return failure(`the old rules go on: ${error.message.replaceAll('\n', '; ')}`);
  }
  return success('the rules are those of the file');
}

function explain(daemon: DaemonApi, rest: readonly string[], { server }: Asker): Answer {
  const [client, ...more] = behindDashes(rest);
  if (client === undefined || more.length > 0) return failure('mptcp explain takes a CLIENT');
  const meant = findClient(client, daemon.sessions(), [], server);
  if ('problem' in meant) return failure(meant.problem);
  return block(daemon.explain(meant.key).flatMap(explainText));
}

function watch([what, ...more]: readonly string[], { setWatching }: Asker): Answer {
  if ((what !== undefined && what !== 'on' && what !== 'off') || more.length > 0)
    return failure('mptcp watch takes nothing, or off');
  if (setWatching === undefined) return failure('nothing can be told here');
  setWatching(what !== 'off');
  return success(`real-time mptcp notification set to ${what === 'off' ? 'OFF' : 'ON'}`);
}

function claim(verb: 'claim' | 'release', [what, ...more]: readonly string[], { seat }: Asker): Answer {
  if ((what !== 'auth' && what !== 'questions') || more.length > 0)
    return failure(
      `mptcp ${verb} takes auth (client-auth and its like) or questions (password, needok, ...)`,
    );
  if (seat === undefined)
    return failure('there is no one OpenVPN behind this console: use the console of a server');
  return seat.sharing[verb](seat.seat, what);
}

/** What follows `--`, which ends whatever is not a name; a command that takes no options has none before it. */
function behindDashes(words: readonly string[]): readonly string[] {
  return words[0] === '--' ? words.slice(1) : words;
}

/** No line of a block may be taken for its end. */
function block(lines: readonly string[]): Answer {
  return { lines: [...lines.map((line) => (line === 'END' ? ' END' : line)), 'END'] };
}
