import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls `probe` again and again until it returns something, and returns that.
 * @param what for the error: `timed out after ... ms waiting for WHAT`.
 * @throws {Error} after `timeoutMs`.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
  everyMs = 100,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`timed out after ${timeoutMs} ms waiting for ${what}`);
    await sleep(everyMs);
  }
}
