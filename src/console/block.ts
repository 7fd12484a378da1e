import { endingsOf } from '../openvpn/answers.js';
import { LONGEST_BLOCK_LINE, parseLine } from '../openvpn/command-line.js';
import type { Request } from '../openvpn/exchanges.js';

const MAX_BLOCK_BYTES = 64 * 1024;

const BASE64 = /^(?!(?:exit|quit)$)[A-Za-z0-9+/=]+$/;
const PEM = /^-----(?:BEGIN|END) CERTIFICATE-----$|^(?!(?:exit|quit)$)[A-Za-z0-9+/=]+$/;
const SIGNATURE = { questions: ['PK_SIGN', 'RSA_SIGN'], takes: 'lines of base64', line: BASE64 };

/**
 * Commands whose lines belong to them only while OpenVPN asks so: what comes too late it takes for commands, line by
 * line. So their lines are such as no command is.
 */
const ASKED: ReadonlyMap<string, { questions: readonly string[]; takes: string; line: RegExp }> = new Map([
  ['pk-sig', SIGNATURE],
  ['rsa-sig', SIGNATURE],
  ['certificate', { questions: ['NEED-CERTIFICATE'], takes: 'the lines of a PEM file', line: PEM }],
]);

/** Whether OpenVPN takes the command's lines while it asks `question`. */
export function isAskedBy(command: string, question: string | undefined): boolean {
  return question !== undefined && (ASKED.get(command)?.questions.includes(question) ?? false);
}

/** Whether a refusal of the command is followed by one of each of its lines. */
export function isAskedOnly(command: string): boolean {
  return ASKED.has(command);
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

  /** @param head the command itself. */
  constructor(head: string) {
    this.#lines = [head];
    this.#bytes = head.length + 1;
  }

  /** Takes a line. @returns the block if that was its last. */
  push(line: string): WholeBlock | undefined {
    this.#bytes += line.length + 1;
    // what is too long is read to its end, but not kept
    if (this.#bytes <= MAX_BLOCK_BYTES) this.#lines.push(line);
    if (line !== 'END') return undefined;
    const [head = '', ...rest] = this.#lines;
    const parsed = parseLine(head);
    const [command = '', ...parameters] = typeof parsed === 'string' ? [] : parsed.words;
    const refused = this.#whyRefused(command, rest);
    const request: Request = { text: this.#lines.join('\n'), endings: endingsOf(parsed) };
    return { command, parameters, request, ...(refused !== undefined && { refused }) };
  }

  #whyRefused(command: string, rest: readonly string[]): string | undefined {
    if (this.#bytes > MAX_BLOCK_BYTES) return `${command} takes at most ${MAX_BLOCK_BYTES} bytes`;
    if (this.#lines.some((line) => line.length > LONGEST_BLOCK_LINE))
      return `OpenVPN takes no line of ${command} longer than ${LONGEST_BLOCK_LINE} characters`;
    const asked = ASKED.get(command);
    if (asked && !rest.every((line) => line === 'END' || asked.line.test(line)))
      return `${command} takes ${asked.takes}, and END`;
    return undefined;
  }
}
