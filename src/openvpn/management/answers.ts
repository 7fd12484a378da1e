import { atoi, type ParsedLine } from './command-line.js';

/**
 * How the end of an answer, or of one part of it, is known. OpenVPN answers strictly in order and marks nothing, so each
 * command's kind must be known beforehand (manage.c of 2.4 to 2.7):
 * - `line`: ends with the first line that begins with `SUCCESS:` or `ERROR:`; what comes before is of it
 *   (`auth-retry nonsense` has two lines).
 * - `block`: lines until `END`; a first line that begins with `ERROR:` is all of it (`status` during a restart).
 * - `rows`: a block whose lines can begin with a client's name, and so with `>`. OpenVPN writes a block in one go:
 *   from the first line to `END` nothing is a real-time message, whatever it looks like.
 * - `mark`: nothing in it tells the end: `pid` is sent behind the command, and its answer, which is known, is the end.
 *   Commands that this table does not know are asked so, and those whose answers differ between versions.
 * - `late`: as `mark`, but the one line of the answer may come behind that of `pid`: OpenVPN takes what it asked for with
 *   all its lines, and says so when it goes on with it (`management_query_multiline`). What it did not ask for has a
 *   refusal for each line, before the mark.
 */
export type Ending = 'line' | 'block' | 'rows' | 'mark' | 'late';

/** Whether `pid` is to be sent behind a command. */
export function needsSentinel(endings: readonly Ending[]): boolean {
  return endings.includes('mark') || endings.includes('late');
}

const LINE: readonly Ending[] = ['line'];
const BLOCK: readonly Ending[] = ['block'];
const SENTINEL: readonly Ending[] = ['mark'];

/** In all versions from 2.4 on, if they have the command: it is one line without it, too. */
const LINES = new Set([
  ...['pid', 'nclients', 'env-filter', 'load-stats', 'kill', 'verb', 'mute', 'auth-retry'],
  ...[
    'username',
    'forget-passwords',
    'needok',
    'needstr',
    'cr-response',
    'net',
    'hold',
    'bytecount',
    'proxy',
  ],
  ...['client-kill', 'client-deny', 'client-auth-nt', 'client-auth', 'client-pending-auth', 'remote'],
]);

/**
 * The parts of the answer to a command, in order; none for a line that OpenVPN does not answer.
 *
 * `mark` have:
 * - `version N`: 2.4 answers as without N, 2.5 to 2.7.0 not at all, 2.7.1 for N from 4 on only;
 * - `signal`: while 2.4 waits for a release, it answers a signal that it ignores with `>HOLD:` alone, a real-time message;
 * - `push-update-broad` and `push-update-cid`, of 2.7: a line of what was done and then one of how it went, and
 *   before them one for each client that was not updated (push_util.c);
 * - `password TYPE` without a password, from 2.7.2 on: lines of base64 follow, each of which has a refusal where OpenVPN
 *   no longer asks;
 * - `client-pf`, of 2.4 and 2.5: of several lines there, unknown to others;
 * - `test N`, N lines; `pkcs11-id-count` and `pkcs11-id-get`, whose answers look like real-time messages;
 * - and what is not known.
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
      return ['late'];
    default:
      return LINES.has(command) ? LINE : SENTINEL;
  }
}

/** `man_history`: one answer for each of the first two parameters. */
function historyEndings(...parameters: readonly (string | undefined)[]): Ending[] {
  return parameters
    .filter((parameter) => parameter !== undefined)
    .map((parameter) => (parameter === 'all' || atoi(parameter) > 0 ? 'block' : 'line'));
}

/** Gathers one answer, line by line, into its parts. */
export class AnswerReader {
  readonly parts: string[][] = [];
  #part: string[] = [];
  #marked = false;

  /** @param isSentinel whether a line is the mark behind an answer of the kind `mark` or `late`. */
  constructor(
    private readonly endings: readonly Ending[],
    private readonly isSentinel: (line: string) => boolean,
  ) {}

  get isDone(): boolean {
    return this.parts.length >= this.endings.length;
  }

  /** Whether a line that begins with `>` is of the answer, and not a real-time message. */
  ownsNotice(line: string): boolean {
    const ending = this.endings[this.parts.length];
    if (ending === 'mark') return line.startsWith('>PKCS11ID-');
    return ending === 'rows' && this.#part.length > 0;
  }

  push(line: string): void {
    const ending = this.endings[this.parts.length];
    if (ending === undefined) return;
    if (ending === 'mark' || ending === 'late') {
      if (this.isSentinel(line)) this.#marked = true;
      else this.#part.push(line);
      if (this.#marked && (ending === 'mark' || this.#part.length > 0)) this.#close();
      return;
    }
    const first = this.#part.length === 0;
    this.#part.push(line);
    const ends =
      ending === 'line'
        ? /^(?:SUCCESS|ERROR):/.test(line)
        : line === 'END' || (first && line.startsWith('ERROR:'));
    if (ends) this.#close();
  }

  #close(): void {
    this.parts.push(this.#part);
    this.#part = [];
  }
}
