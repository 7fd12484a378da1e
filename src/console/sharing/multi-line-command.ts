import { endingsOf } from '../../openvpn/management/answers.js';
import { MAX_MULTI_LINE_BYTES, parseLine } from '../../openvpn/management/command-line.js';
import type { Request } from '../../openvpn/management/exchanges.js';

/** Longest command with all its lines, bytes. */
export const MAX_COMMAND_BYTES = 64 * 1024;

const BASE64 = /^(?!(?:exit|quit)$)[A-Za-z0-9+/=]+$/;
const PEM = /^-----(?:BEGIN|END) CERTIFICATE-----$|^(?!(?:exit|quit)$)[A-Za-z0-9+/=]+$/;
/** Lines of OpenVPN's packet filter: sections, clients, subnets and comments (pf_parse in pf.c of 2.4 and 2.5). */
const FILTER = /^(?:[[+\-#;].*)?$/;

/** Which lines may follow a command. */
interface FurtherLines {
  /** Lines follow only while OpenVPN waits for an answer to one of these questions. */
  readonly questions: readonly string[];
  /** For a message. */
  readonly description: string;
  /** Matches each line except `END`. */
  readonly line: RegExp;
}

const SIGNATURE: FurtherLines = {
  questions: ['PK_SIGN', 'RSA_SIGN'],
  description: 'lines of base64',
  line: BASE64,
};

/**
 * Commands whose further lines OpenVPN can refuse. It then reads each line as a command of its own. Therefore lines that could
 * be commands are refused here.
 */
const FURTHER_LINES: ReadonlyMap<string, FurtherLines> = new Map([
  ['pk-sig', SIGNATURE],
  ['rsa-sig', SIGNATURE],
  ['password', { ...SIGNATURE, questions: ['PASSWORD'] }],
  ['certificate', { questions: ['NEED-CERTIFICATE'], description: 'the lines of a PEM file', line: PEM }],
  ['client-pf', { questions: [], description: 'the lines of a packet filter', line: FILTER }],
]);

/** Whether OpenVPN accepts the lines of this command while it asks `question`. */
export function acceptsLines(command: string, question: string | undefined): boolean {
  return question !== undefined && (FURTHER_LINES.get(command)?.questions.includes(question) ?? false);
}

/** OpenVPN refuses a command that comes too late, and then each of its lines. Only the first refusal is kept. */
export function firstRefusalOnly(command: string, lines: readonly string[]): readonly string[] {
  const refusal = lines.find((line) => line.startsWith('ERROR:'));
  return refusal !== undefined && FURTHER_LINES.has(command) ? [refusal] : lines;
}

/** A command with all its lines. */
export interface CompleteCommand {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly request: Request;
  /** Why it must not be sent to OpenVPN. */
  readonly refusal?: string;
}

/** Collects the lines of a command of several lines, up to `END`. */
export class MultiLineCommand {
  readonly #lines: string[];
  #bytes: number;
  /** Why one of the lines must not be sent to OpenVPN. */
  #refusal: string | undefined;

  /** @param head the line with the command. */
  constructor(head: string) {
    this.#lines = [head];
    this.#bytes = head.length + 1;
  }

  /**
   * Adds a line.
   * @param refusal why the line must not be sent to OpenVPN. The lines after it still belong to the command.
   * @returns the complete command, if this was its last line.
   */
  push(line: string, refusal?: string): CompleteCommand | undefined {
    this.#refusal ??= refusal;
    this.#bytes += line.length + 1;
    // a command that is too long is read to its end, but not kept
    if (this.#bytes <= MAX_COMMAND_BYTES) this.#lines.push(line);
    if (line !== 'END') return undefined;
    const [head = '', ...rest] = this.#lines;
    const parsed = parseLine(head);
    const [command = '', ...parameters] = typeof parsed === 'string' ? [] : parsed.words;
    const reason = this.#refusalOf(command, rest);
    const request: Request = { text: this.#lines.join('\n'), endings: endingsOf(parsed) };
    return { command, parameters, request, ...(reason !== undefined && { refusal: reason }) };
  }

  #refusalOf(command: string, rest: readonly string[]): string | undefined {
    if (this.#refusal !== undefined) return this.#refusal;
    if (this.#bytes > MAX_COMMAND_BYTES) return `${command} takes at most ${MAX_COMMAND_BYTES} bytes`;
    if (this.#lines.some((line) => line.length > MAX_MULTI_LINE_BYTES))
      return `a line of ${command} is longer than ${MAX_MULTI_LINE_BYTES} characters, the most that OpenVPN takes`;
    const lines = FURTHER_LINES.get(command);
    if (lines && !rest.every((line) => line === 'END' || lines.line.test(line)))
      return `${command} takes ${lines.description}, then END`;
    return undefined;
  }
}
