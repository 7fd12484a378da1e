import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls `ask` again and again until it returns neither undefined nor false, and returns that.
 * @param what what is waited for; for the error.
 * @param withinMs milliseconds.
 * @param everyMs the pause between two calls; milliseconds.
 * @throws {Error} after `withinMs`; also what `ask` throws.
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 60_000,
  everyMs = 20,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
