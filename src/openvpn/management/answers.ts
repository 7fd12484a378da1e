import { atoi, type ParsedLine } from './command-line.js';

/**
 * How to recognise the end of an answer, or of one part of it. OpenVPN answers in order, but an answer does not name its
 * command, and its form depends on the command (manage.c of 2.4 to 2.7):
 * - `line`: ends with the first line that begins with `SUCCESS:` or `ERROR:`. Earlier lines belong to it (`auth-retry
 *   nonsense` has two lines).
 * - `block`: lines until `END`. If the first line begins with `ERROR:`, it is the whole answer (`status` during a restart).
 * - `rows`: a block whose lines can begin with the name of a client, and so with `>`. OpenVPN writes a block without a pause,
 *   so no line from the first one to `END` is a real-time message, even if it looks like one.
 * - `sentinel`: the answer itself has no recognisable end. `pid` is sent after the command, and the known answer to `pid` is
 *   the sentinel. Unknown commands are of this kind, and those whose answers differ between versions.
 * - `deferred`: like `sentinel`, but the one line of the answer may follow the answer to `pid`. If OpenVPN asked for the text,
 *   it reads all lines and answers when it continues (`management_query_multiline`). If it did not ask, it refuses each line
 *   before the sentinel.
 */
export type Ending = 'line' | 'block' | 'rows' | 'sentinel' | 'deferred';

/** Whether `pid` must be sent after a command whose answer has parts with these endings. */
export function needsSentinel(endings: readonly Ending[]): boolean {
  return endings.includes('sentinel') || endings.includes('deferred');
}

const LINE: readonly Ending[] = ['line'];
const BLOCK: readonly Ending[] = ['block'];
const SENTINEL: readonly Ending[] = ['sentinel'];

/** Commands of kind `line` in all versions since 2.4. A version without the command also answers one line. */
const LINE_COMMANDS = new Set([
  'auth-retry', 'bytecount', 'client-auth', 'client-auth-nt', 'client-deny', 'client-kill', 'client-pending-auth',
  'cr-response', 'env-filter', 'forget-passwords', 'hold', 'kill', 'load-stats', 'mute', 'nclients', 'needok', 'needstr',
  'net', 'pid', 'proxy', 'remote', 'username', 'verb',
]); // prettier-ignore

/**
 * The parts of the answer to a command, in order; none for a line that OpenVPN does not answer.
 *
 * These are of kind `sentinel`:
 * - `version N`: 2.4 answers as without N, 2.5 to 2.7.0 do not answer, 2.7.1 answers only if N is at least 4;
 * - `signal`: while 2.4 waits for a hold release, its only answer to an ignored signal is `>HOLD:`, a real-time message;
 * - `push-update-broad` and `push-update-cid` of 2.7: a line for each client that was not updated, a line about what was done,
 *   and a line about the result (push_util.c);
 * - `password TYPE` without a password, since 2.7.2: lines of base64 follow, and OpenVPN refuses each if it does not ask any
 *   more;
 * - `client-pf` of 2.4 and 2.5, which has several lines there, and is unknown to later versions;
 * - `test N`, which has N lines; `pkcs11-id-count` and `pkcs11-id-get`, whose answers look like real-time messages;
 * - unknown commands.
 */
export function endingsOf(line: ParsedLine): readonly Ending[] {
  if (line === 'nothing') return [];
  if (line === 'malformed') return LINE;
  const [command = '', ...parameters] = line.words;
  const [first, second] = parameters;
  switch (command) {
    case 'help':
    case 'remote-entry-count':
      return BLOCK;
    case 'remote-entry-get':
      return first === undefined ? LINE : BLOCK;
    case 'version':
      return first === undefined ? BLOCK : SENTINEL;
    case 'status':
      return first !== undefined && [2, 3].includes(atoi(first)) ? BLOCK : ['rows'];
    case 'state':
      return first === undefined ? BLOCK : historyEndings(first, second);
    case 'log':
    case 'echo':
      return first === undefined ? LINE : historyEndings(first, second);
    case 'password':
      return first !== undefined && second === undefined ? SENTINEL : LINE;
    case 'pk-sig':
    case 'rsa-sig':
    case 'certificate':
      return ['deferred'];
    default:
      return LINE_COMMANDS.has(command) ? LINE : SENTINEL;
  }
}

/** One answer for each of the first two parameters (`man_history` in manage.c). */
function historyEndings(...parameters: readonly (string | undefined)[]): Ending[] {
  return parameters
    .filter((parameter) => parameter !== undefined)
    .map((parameter) => (parameter === 'all' || atoi(parameter) > 0 ? 'block' : 'line'));
}

/** Collects the lines of one answer in its parts. */
export class AnswerReader {
  readonly parts: string[][] = [];
  #part: string[] = [];
  #hasSentinel = false;

  /** @param isSentinel whether a line is the sentinel of an answer of kind `sentinel` or `deferred`. */
  constructor(
    private readonly endings: readonly Ending[],
    private readonly isSentinel: (line: string) => boolean,
  ) {}

  /** Whether all parts have ended. */
  get isDone(): boolean {
    return this.parts.length >= this.endings.length;
  }

  /** Whether a line that begins with `>` belongs to the answer, so it is not a real-time message. */
  ownsMessage(line: string): boolean {
    const ending = this.endings[this.parts.length];
    if (ending === 'sentinel') return line.startsWith('>PKCS11ID-');
    return ending === 'rows' && this.#part.length > 0;
  }

  /** Adds a line of the answer. */
  push(line: string): void {
    const ending = this.endings[this.parts.length];
    if (ending === undefined) return;
    if (ending === 'sentinel' || ending === 'deferred') {
      if (this.isSentinel(line)) this.#hasSentinel = true;
      else this.#part.push(line);
      if (this.#hasSentinel && (ending === 'sentinel' || this.#part.length > 0)) this.#close();
      return;
    }
    const isFirst = this.#part.length === 0;
    this.#part.push(line);
    const isEnd =
      ending === 'line'
        ? /^(?:SUCCESS|ERROR):/.test(line)
        : line === 'END' || (isFirst && line.startsWith('ERROR:'));
    if (isEnd) this.#close();
  }

  #close(): void {
    this.parts.push(this.#part);
    this.#part = [];
  }
}
