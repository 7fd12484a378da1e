import { ValueError } from './value-error.js';

/**
 * Reads a group's name, as useradd(8) of Debian accepts it: at most 32 bytes.
 * @throws {ValueError}
 */
export function readGroup(value: string): string {
  if (!/^[a-z_][\w.-]{0,31}$/i.test(value)) throw new ValueError(`\`${value}\` is not a group's name`);
  return value;
}

/**
 * Reads a user's name, in the form of {@link readGroup}, or a user's number.
 * @throws {ValueError}
 */
export function readUser(value: string): string {
  if (!/^(?:\d{1,10}|[a-z_][\w.-]{0,31})$/i.test(value))
    throw new ValueError(`\`${value}\` is not a user's name`);
  return value;
}

/**
 * Reads the name of a server or a path. Names are typed on command lines and listed between commas.
 * @throws {ValueError}
 */
export function readName(value: string): string {
  if (!/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.@+-]{0,63}$/u.test(value)) {
    throw new ValueError(
      `\`${value}\` is not a name; a name has 1 to 64 letters, digits and _ . @ + -, the first a letter, a digit or _`,
    );
  }
  return value;
}

/**
 * Reads the name of a path: any name but `auto`, which removes an override on the command line.
 * @throws {ValueError}
 */
export function readPathName(value: string): string {
  if (value === 'auto') throw new ValueError('no path can be named `auto`: that word removes an override');
  return readName(value);
}
