import { isDeepStrictEqual } from 'node:util';

/**
 * Returns `last` if it equals `next`, and otherwise `next`. So a value that does not change stays the same object, and
 * callers can compare objects instead of their members.
 * @param last undefined if there is no earlier value.
 * @param isEqual compares all members deeply by default.
 */
export function keepIfEqual<T>(
  last: T | undefined,
  next: T,
  isEqual: (one: T, other: T) => boolean = isDeepStrictEqual,
): T {
  return last !== undefined && isEqual(last, next) ? last : next;
}
