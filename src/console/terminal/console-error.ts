/** A console cannot be reached, or gave no answer. */
export class ConsoleUnreachable extends Error {
  override readonly name = 'ConsoleUnreachable';

  /**
   * @param isAbsent whether it is certain that no daemon serves the console.
   * @param remedy the command that fixes it, if it is known.
   */
  constructor(
    message: string,
    readonly isAbsent: boolean,
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/** The daemon refused a command. The message is the text after `ERROR:`. */
export class ConsoleRefusal extends Error {
  override readonly name = 'ConsoleRefusal';
}
