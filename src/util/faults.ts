import type { Problems } from './problems.js';

/**
 * Does work for one server or one user that a timer or an event starts, and whose result no caller awaits. If a fault of
 * subflowd makes the work throw, this opens a problem of that server or user, and the daemon continues. The problem lasts
 * until the same work succeeds.
 * @param who the server or user.
 * @param what the work: the end of the sentence "cannot ...".
 */
export function containFault(problems: Problems, who: string, what: string, act: () => void): void {
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

/** Whether the key of a problem is one of {@link containFault}. */
export function isFault(key: string): boolean {
  return key.startsWith('fault ');
}
