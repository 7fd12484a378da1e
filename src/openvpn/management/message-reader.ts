import { TooLongError } from '../../util/lines.js';

/** Longest real-time message with its variables, in bytes. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** Messages with variables, up to `ENV,END` (doc/management-notes.txt, "The CLIENT notification"). */
const WITH_VARIABLES =
  /^>(CLIENT(?=:(?:CONNECT|REAUTH|ESTABLISHED|DISCONNECT|CR_RESPONSE)\b)|UPDOWN(?=:(?:UP|DOWN)\b))/;

/** Collects the lines of real-time messages. A message and its variables are one message. */
export class MessageReader {
  /** The message whose variables are being read. */
  #open: { readonly source: string; readonly lines: string[]; bytes: number } | undefined;

  /**
   * Takes a line. Returns the lines of the message if this line completes it.
   * @throws {TooLongError} if the message is longer than {@link MAX_MESSAGE_BYTES}.
   */
  push(line: string): readonly string[] | undefined {
    const [, source] = WITH_VARIABLES.exec(line) ?? [];
    if (source !== undefined) {
      this.#open = { source, lines: [line], bytes: line.length };
      return undefined;
    }
    const open = this.#open;
    if (open === undefined || !line.startsWith(`>${open.source}:ENV,`)) return [line];
    open.lines.push(line);
    open.bytes += line.length + 1;
    if (open.bytes > MAX_MESSAGE_BYTES) {
      this.#open = undefined;
      throw new TooLongError(`a real-time message longer than ${MAX_MESSAGE_BYTES} bytes`);
    }
    if (line !== `>${open.source}:ENV,END`) return undefined;
    this.#open = undefined;
    return open.lines;
  }

  /** Forgets an incomplete message. */
  clear(): void {
    this.#open = undefined;
  }
}

/** The source of a real-time message, e.g. `CLIENT`, and the text after the colon. */
export function splitMessage([line = '']: readonly string[]): {
  readonly source: string;
  readonly rest: string;
} {
  const [, source = '', rest = ''] = /^>([A-Z0-9_-]+):(.*)$/s.exec(line) ?? [];
  return { source, rest };
}
