import { parseLine } from '../../openvpn/management/command-line.js';
import { DISPOSITIONS } from './dispositions.js';

/** Any word, e.g. a client's name or address. */
const WORD = /^.{1,256}$/;
const NUMBER = /^\d{1,15}$/;
const KEYWORD = /^[A-Za-z0-9]{1,32}$/;

/**
 * The orders: commands that change OpenVPN for everybody. Each has the forms of those first parameters that are never secret.
 * The options that `push-update-...` pushes and the message of `client-kill` can be secret.
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
 * Returns the part of an order that may be logged: the command, and its parameters up to the first that can be secret.
 * Undefined for every other command, because even its first word can be part of a password that was typed by mistake.
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

/** Commands that the console handles itself. */
const OURS = new Set(['mptcp', 'exit', 'quit']);

/**
 * Whether a line that was typed at a console may be stored in a file. Only lines of known commands without secrets may. A
 * mistyped `password` is not a known command.
 */
export function mayBeStored(line: string): boolean {
  const parsed = parseLine(line);
  if (typeof parsed === 'string') return false;
  const [command = '', ...parameters] = parsed.words;
  if (OURS.has(command)) return true;
  const order = loggableOrder(command, parameters);
  if (order !== undefined) return order === [command, ...parameters].join(' ');
  return typeof DISPOSITIONS.get(command) === 'string';
}
