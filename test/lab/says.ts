import type { Readable } from 'node:stream';

/** In a guest on a busy machine a program needs over half a minute until it prints its first line. */
const PATIENCE_MS = 180_000;

/**
 * Waits until a program has printed this text to a stream.
 * @throws {Error} if the stream ends or `withinMs` pass before.
 */
export function says(stream: Readable, text: string, withinMs = PATIENCE_MS): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const fail = (): void => {
      finish();
      reject(new Error(`a program should print "${text}", but it printed: ${seen}`));
    };
    const hear = (chunk: Buffer): void => {
      seen += chunk.toString();
      if (!seen.includes(text)) return;
      finish();
      resolve();
    };
    const timer = setTimeout(fail, withinMs);
    const finish = (): void => {
      clearTimeout(timer);
      stream.off('data', hear).off('end', fail);
    };
    stream.on('data', hear).on('end', fail);
  });
}
