import { endingsOf } from '../../openvpn/answers.js';
import { LONGEST_BLOCK_LINE, parseLine } from '../../openvpn/command-line.js';
import type { Request } from '../../openvpn/exchanges.js';

export const MAX_BLOCK_BYTES = 64 * 1024;

const BASE64 = /^(?!(?:exit|quit)$)[A-Za-z0-9+/=]+$/;
const PEM = /^-----(?:BEGIN|END) CERTIFICATE-----$|^(?!(?:exit|quit)$)[A-Za-z0-9+/=]+$/;
/** Sections, clients, subnets and remarks of OpenVPN's packet filter (pf_parse in pf.c of 2.4 and 2.5). */
const FILTER = /^(?:[[+\-#;].*)?$/;

interface Lines {
  /** While OpenVPN waits for an answer to one of these, the lines belong to the command. */
  readonly questions: readonly string[];
  readonly takes: string;
  readonly line: RegExp;
}

const SIGNATURE: Lines = { questions: ['PK_SIGN', 'RSA_SIGN'], takes: 'lines of base64', line: BASE64 };

/**
 * Commands whose lines OpenVPN can refuse to take: then it takes each for a command. So their lines are such as no
 * command is.
 */
const LINES: ReadonlyMap<string, Lines> = new Map([
  ['pk-sig', SIGNATURE],
  ['rsa-sig', SIGNATURE],
  ['password', { ...SIGNATURE, questions: ['PASSWORD'] }],
  ['certificate', { questions: ['NEED-CERTIFICATE'], takes: 'the lines of a PEM file', line: PEM }],
  ['client-pf', { questions: [], takes: 'the lines of a packet filter', line: FILTER }],
]);

/** Whether OpenVPN takes the command's lines while it asks `question`. */
export function isAskedBy(command: string, question: string | undefined): boolean {
  return question !== undefined && (LINES.get(command)?.questions.includes(question) ?? false);
}

/** What came too late is refused, and after it each of its lines as a command: the first refusal says it all. */
export function withoutRefusedLines(command: string, lines: readonly string[]): readonly string[] {
  const refusal = lines.find((line) => line.startsWith('ERROR:'));
  return refusal !== undefined && LINES.has(command) ? [refusal] : lines;
}

/** A block that is whole. */
export interface WholeBlock {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly request: Request;
  /** Why OpenVPN must not see it. */
  readonly refused?: string;
}

/** A command of several lines, up to `END`, as a client gives them. */
export class Block {
  readonly #lines: string[];
  #bytes: number;
  /** Why OpenVPN must not see a line that was given. */
  #refused: string | undefined;

  /** @param head the command itself. */
  constructor(head: string) {
    this.#lines = [head];
    this.#bytes = head.length + 1;
  }

  /**
   * Takes a line.
   * @param refused why OpenVPN must not see it; the lines behind it are still the block's, and no commands.
   * @returns the block if that was its last.
   */
  push(line: string, refused?: string): WholeBlock | undefined {
    this.#refused ??= refused;
    this.#bytes += line.length + 1;
    // what is too long is read to its end, but not kept
    if (this.#bytes <= MAX_BLOCK_BYTES) this.#lines.push(line);
    if (line !== 'END') return undefined;
    const [head = '', ...rest] = this.#lines;
    const parsed = parseLine(head);
    const [command = '', ...parameters] = typeof parsed === 'string' ? [] : parsed.words;
    const reason = this.#whyRefused(command, rest);
    const request: Request = { text: this.#lines.join('\n'), endings: endingsOf(parsed) };
    return { command, parameters, request, ...(reason !== undefined && { refused: reason }) };
  }

  #whyRefused(command: string, rest: readonly string[]): string | undefined {
    if (this.#refused !== undefined) return this.#refused;
    if (this.#bytes > MAX_BLOCK_BYTES) return `${command} takes at most ${MAX_BLOCK_BYTES} bytes`;
    if (this.#lines.some((line) => line.length > LONGEST_BLOCK_LINE))
      return `OpenVPN takes no line of ${command} longer than ${LONGEST_BLOCK_LINE} characters`;
    const lines = LINES.get(command);
    if (lines && !rest.every((line) => line === 'END' || lines.line.test(line)))
      return `${command} takes ${lines.takes}, and END`;
    return undefined;
  }
}
