import { parseLine } from '../../openvpn/command-line.js';
import { DISPOSITIONS } from './dispositions.js';

/** Any word: a client's name or address, a signal. */
const WORD = /^.{1,256}$/;
const NUMBER = /^\d{1,15}$/;
const KEYWORD = /^[A-Za-z0-9]{1,32}$/;

/**
 * The commands that change OpenVPN for all, each with the forms of those parameters that are never secret, in order. What
 * `push-update-...` pushes and what `client-kill` says to a client can be secret.
 */
const ORDERS: ReadonlyMap<string, readonly RegExp[]> = new Map([
  ['signal', [KEYWORD]],
  ['kill', [WORD]],
  ['client-kill', [NUMBER]],
  ['verb', [NUMBER]],
  ['mute', [NUMBER]],
  ['auth-retry', [KEYWORD]],
  ['forget-passwords', []],
  ['client-pf', [NUMBER]],
  ['push-update-broad', []],
  ['push-update-cid', [NUMBER]],
]);

/**
 * What of an order may be written to a log: the command, and the parameters that have the form of one that is no secret.
 * Undefined for every other command: even its first word can be part of a password that was typed as a command.
 */
export function loggableOrder(command: string, parameters: readonly string[]): string | undefined {
  const forms = ORDERS.get(command);
  if (forms === undefined) return undefined;
  const shown: string[] = [];
  for (const [index, form] of forms.entries()) {
    const parameter = parameters[index];
    if (parameter === undefined || !form.test(parameter)) break;
    shown.push(parameter);
  }
  return [command, ...shown].join(' ');
}

/** Commands of the daemon and of the console itself. */
const OURS = new Set(['mptcp', 'exit', 'quit']);

/**
 * Whether a line that was typed at a console may be kept in a file: only lines of known commands that take no secret. A
 * mistyped `password` is none of them.
 */
export function isKeepable(line: string): boolean {
  const parsed = parseLine(line);
  if (typeof parsed === 'string') return false;
  const [command = '', ...parameters] = parsed.words;
  if (OURS.has(command)) return true;
  const order = loggableOrder(command, parameters);
  if (order !== undefined) return order === [command, ...parameters].join(' ');
  return typeof DISPOSITIONS.get(command) === 'string';
}
