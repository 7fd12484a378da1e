import type { Readable } from 'node:stream';

/** Only what hangs reaches it: in a guest on a busy machine a program takes over half a minute to say its first word. */
const PATIENCE_MS = 180_000;

/**
 * Waits until a program's stream has said this.
 * @throws {Error} if the stream ends or three minutes pass before.
 */
export function says(stream: Readable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const fail = (): void => {
      finish();
      reject(new Error(`a program was to say "${text}" but said: ${seen}`));
    };
    const hear = (chunk: Buffer): void => {
      seen += chunk.toString();
      if (!seen.includes(text)) return;
      finish();
      resolve();
    };
    const timer = setTimeout(fail, PATIENCE_MS);
    const finish = (): void => {
      clearTimeout(timer);
      stream.off('data', hear).off('end', fail);
    };
    stream.on('data', hear).on('end', fail);
  });
}
