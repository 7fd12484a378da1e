import type { Problems } from './problems.js';

/**
 * Does work on what one server, or one user, makes of this: where that goes wrong by a fault of ours, it is a problem of
 * that one and not the end of all. For work that a timer or an event begins, which nobody waits for. The problem lasts until
 * the same work is done again and goes well.
 * @param what the work is, as `cannot ...` goes on.
 */
export function containBug(problems: Problems, who: string, what: string, act: () => void): void {
  const key = `fault ${what}`;
  try {
    act();
    problems.resolve(key);
  } catch (error) {
    problems.open(
      key,
      `${who}: cannot ${what} (a fault of subflowd; please report it): ${(error as Error).message}`,
    );
  }
}

/** Whether a problem is one of {@link containBug}. */
export function isBug(key: string): boolean {
  return key.startsWith('fault ');
}
