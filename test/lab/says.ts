import type { Readable } from 'node:stream';

/**
 * Waits until a program's stream has said this.
 * @throws {Error} if the stream ends or 30 seconds pass before.
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
    const timer = setTimeout(fail, 30_000);
    const finish = (): void => {
      clearTimeout(timer);
      stream.off('data', hear).off('end', fail);
    };
    stream.on('data', hear).on('end', fail);
  });
}
