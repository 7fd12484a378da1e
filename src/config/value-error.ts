/** A value of the config file that cannot be used. The message says why, and how to fix it. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}
