import { TooLongError } from '../../util/lines.js';

/** Bytes of one real-time message with all its variables. */
export const MAX_BYTES = 256 * 1024;

/** Those that variables follow, up to `ENV,END` (doc/management-notes.txt, "The CLIENT notification"). */
const WITH_VARIABLES =
  /^>(CLIENT:(?:CONNECT|REAUTH|ESTABLISHED|DISCONNECT|CR_RESPONSE)|UPDOWN:(?:UP|DOWN))\b/;

/** Puts the lines of real-time messages together: one that has variables is one message with them. */
export class NoticeReader {
  #open: { readonly source: string; readonly lines: string[]; bytes: number } | undefined;

  /**
   * The message that a line finishes, as its lines; undefined where more belongs to it.
   * @throws {TooLongError} if it is longer than allowed.
   */
  push(line: string): readonly string[] | undefined {
    const starts = WITH_VARIABLES.exec(line)?.[1];
    if (starts !== undefined) {
      this.#open = { source: starts.slice(0, starts.indexOf(':')), lines: [line], bytes: line.length };
      return undefined;
    }
    const open = this.#open;
    if (open === undefined || !line.startsWith(`>${open.source}:ENV,`)) return [line];
    open.lines.push(line);
    open.bytes += line.length + 1;
    if (open.bytes > MAX_BYTES) {
      this.#open = undefined;
      throw new TooLongError(`a real-time message longer than ${MAX_BYTES} bytes`);
    }
    if (line !== `>${open.source}:ENV,END`) return undefined;
    this.#open = undefined;
    return open.lines;
  }

  clear(): void {
    this.#open = undefined;
  }
}

/** The source of a real-time message, e.g. `CLIENT`, and what is behind it. */
export function sourceOf([line = '']: readonly string[]): { readonly source: string; readonly rest: string } {
  const [, source = '', rest = ''] = /^>([A-Z0-9_-]+):(.*)$/s.exec(line) ?? [];
  return { source, rest };
}
