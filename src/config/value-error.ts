/** A value of the config file that cannot be used; the message says why and how to mend it. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}
