import type { DaemonApi } from '../../api/daemon-api.js';
import type { SessionPlan } from '../../api/status.js';
import { ConfigError } from '../../config/problem.js';
import { qualifiedName } from '../../model/session.js';
import { hint } from '../../util/nearest.js';
import { printableJson } from '../../util/printable.js';
import { splitWords, WordsError } from '../../util/words.js';
import { failure, success, type Answer } from '../common/answer.js';
import { findClient } from '../common/client-words.js';
import { HELP, type MptcpVerb } from '../common/mptcp-commands.js';
import type { ConsoleClient } from '../sharing/console-client.js';
import type { SharedManagement } from '../sharing/shared-management.js';
import { pathsText, rulesText } from '../text/config.js';
import { explainText } from '../text/explain.js';
import { pathsStatus, rulesStatus } from '../text/json.js';
import { sessionLines, statusText } from '../text/status.js';

/** What is known about the client that sends a command. */
export interface CommandContext {
  /** Logged with each override. */
  readonly userName?: string;
  /** The client at the OpenVPN behind the console; undefined if there is not exactly one. */
  readonly openvpn?: { readonly shared: SharedManagement; readonly client: ConsoleClient } | undefined;
  /** The server that CIDs and names of clients refer to; undefined: all servers. */
  readonly server?: string | undefined;
  /** Starts or stops sending the client reports of switches and subflows. */
  readonly setWatching?: (form: 'text' | 'json' | 'off') => void;
  /** Sockets of the consoles that understand OpenVPN's commands, if this one does not. */
  readonly openvpnConsoles?: readonly string[];
}

type Handler = (
  daemon: DaemonApi,
  parameters: readonly string[],
  context: CommandContext,
) => Answer | Promise<Answer>;

const HANDLERS: Readonly<Record<MptcpVerb, Handler>> = {
  status: showStatus,
  paths: showPaths,
  primary: setPrimary,
  rules: showRules,
  watch,
  explain,
  claim: (_daemon, parameters, context) => claimOrRelease('claim', parameters, context),
  release: (_daemon, parameters, context) => claimOrRelease('release', parameters, context),
  help: () => block(HELP),
};

/** Runs one line of a console client. The answer has the form of OpenVPN's own: SUCCESS:, ERROR:, or lines up to END. */
export async function runCommand(
  daemon: DaemonApi,
  line: string,
  context: CommandContext = {},
): Promise<Answer> {
  let words: string[];
  try {
    words = splitWords(line);
  } catch (error) {
    if (error instanceof WordsError) return failure(error.message);
    throw error;
  }
  const [first, verb = 'help', ...parameters] = words;
  if (first === undefined) return { lines: [] };
  if (first === 'exit' || first === 'quit') return { lines: [], closesConnection: true };
  if (first === 'help') return block(HELP);
  if (first !== 'mptcp') return failure(unknownCommandText(first, context));
  if (!isVerb(verb)) return failure(`unknown command ${JSON.stringify(`mptcp ${verb}`)}, try mptcp help`);
  return HANDLERS[verb](daemon, parameters, context);
}

function isVerb(word: string): word is MptcpVerb {
  return Object.hasOwn(HANDLERS, word);
}

function unknownCommandText(command: string, { openvpnConsoles = [] }: CommandContext): string {
  const hint =
    openvpnConsoles.length === 0
      ? ''
      : `; for OpenVPN's commands, connect to ${openvpnConsoles.join(' or ')}`;
  return `unknown command ${JSON.stringify(command)}, try help${hint}`;
}

async function showPaths(daemon: DaemonApi, parameters: readonly string[]): Promise<Answer> {
  const [what, ...more] = parameters;
  if ((what !== undefined && what !== 'json') || more.length > 0)
    return failure('mptcp paths takes no parameter, or json');
  await daemon.observe();
  const { sessions, paths } = daemon.status();
  if (what === 'json') return block([printableJson(pathsStatus(daemon.config(), sessions, paths))]);
  return block(pathsText(daemon.config(), sessions, paths));
}

async function showStatus(
  daemon: DaemonApi,
  parameters: readonly string[],
  { server }: CommandContext,
): Promise<Answer> {
  await daemon.observe();
  const status = daemon.status();
  if (parameters.length === 0) return block(statusText(status));
  const [client, ...more] = afterDashes(parameters);
  if (client === undefined || more.length > 0)
    return failure('mptcp status takes no parameter, a CLIENT, or json');
  if (parameters[0] === 'json') return block([printableJson(status)]);
  const match = findClient(client, daemon.sessions(), [], server);
  if ('problem' in match) return failure(match.problem);
  return block(
    status.sessions.filter(({ session }) => qualifiedName(session) === match.key).flatMap(sessionLines),
  );
}

async function setPrimary(
  daemon: DaemonApi,
  parameters: readonly string[],
  { server, userName = 'somebody' }: CommandContext,
): Promise<Answer> {
  const [client, path, ...more] = afterDashes(parameters);
  if (client === undefined || path === undefined || more.length > 0)
    return failure('mptcp primary takes a CLIENT and a PATH, or a CLIENT and auto');
  // an admin can still end the override of a client that has left
  const overridden = Object.keys(daemon.status().overrides);
  const match = findClient(client, daemon.sessions(), overridden, server);
  if ('problem' in match) return failure(match.problem);
  const { key } = match;
  const paths = daemon.config().paths.map(({ name }) => name);
  if (path !== 'auto' && !paths.includes(path))
    return failure(
      `there is no path ${JSON.stringify(path)}${hint(path, paths)}; the paths are ${paths.join(', ') || 'none'}`,
    );
  const before = sessionsOf(daemon, key);
  const [unsteerable] = before;
  if (path !== 'auto' && unsteerable && before.every(({ state }) => state === 'plain' || state === 'udp'))
    return failure(`${key}: ${unsteerable.reason}; nothing was set`);
  let isTried: boolean;
  try {
    isTried = await daemon.setOverride(key, path === 'auto' ? undefined : path, userName);
  } catch (error) {
    return failure(`the override cannot be kept: ${(error as Error).message}`);
  }
  // the sessions still show what was before
  if (!isTried)
    return success(
      `${key}: ${path} is asked for, and will be tried; status ${client} shows what comes of it`,
    );
  const states = sessionsOf(daemon, key).map(({ state, reason }) => `${state}, ${reason}`);
  return success(`${key}: ${states.join('; ') || 'not connected now'}`);
}

function sessionsOf(daemon: DaemonApi, key: string): readonly SessionPlan[] {
  return daemon.status().sessions.filter(({ session }) => qualifiedName(session) === key);
}

async function showRules(daemon: DaemonApi, [what, ...more]: readonly string[]): Promise<Answer> {
  if (what === undefined || (what === 'json' && more.length === 0)) {
    const { overrides, sessions } = daemon.status();
    if (what === 'json') return block([printableJson(rulesStatus(daemon.config(), overrides, sessions))]);
    return block(rulesText(daemon.config(), overrides, sessions));
  }
  if (what !== 'reload' || more.length > 0) return failure('mptcp rules takes no parameter, reload, or json');
  try {
    await daemon.reload();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return failure(`the old rules stay in force: ${error.message.replaceAll('\n', '; ')}`);
  }
  return success('the rules of the file are in force');
}

async function explain(
  daemon: DaemonApi,
  parameters: readonly string[],
  { server }: CommandContext,
): Promise<Answer> {
  await daemon.observe();
  const [client, form, ...more] = afterDashes(parameters);
  if (client === undefined || (form !== undefined && form !== 'json') || more.length > 0)
    return failure('mptcp explain takes a CLIENT, or a CLIENT and json');
  const match = findClient(client, daemon.sessions(), [], server);
  if ('problem' in match) return failure(match.problem);
  const explanations = daemon.explain(match.key);
  return block(form === 'json' ? [printableJson(explanations)] : explanations.flatMap(explainText));
}

function watch(
  _daemon: DaemonApi,
  [what, ...more]: readonly string[],
  { setWatching }: CommandContext,
): Answer {
  if ((what !== undefined && !/^(?:on|off|json)$/.test(what)) || more.length > 0)
    return failure('mptcp watch takes no parameter, json, or off');
  if (setWatching === undefined) return failure('mptcp watch does not work here');
  setWatching(what === 'off' || what === 'json' ? what : 'text');
  return success(`real-time mptcp notification set to ${what === 'off' ? 'OFF' : 'ON'}`);
}

function claimOrRelease(
  verb: 'claim' | 'release',
  [what, ...more]: readonly string[],
  { openvpn }: CommandContext,
): Answer {
  if ((what !== 'auth' && what !== 'questions') || more.length > 0)
    return failure(
      `mptcp ${verb} takes auth (client-auth, client-deny, ...) or questions (password, needok, ...)`,
    );
  if (openvpn === undefined)
    return failure('there is no single OpenVPN behind this console: use the console of a server');
  return openvpn.shared[verb](openvpn.client, what);
}

/** Drops a leading `--`, after which every word is a name. */
function afterDashes(words: readonly string[]): readonly string[] {
  return words[0] === '--' ? words.slice(1) : words;
}

/** Ends the lines with END. A line that is itself END gets a blank, so that it does not end the answer. */
function block(lines: readonly string[]): Answer {
  return { lines: [...lines.map((line) => (line === 'END' ? ' END' : line)), 'END'] };
}
