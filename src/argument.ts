import { InvalidArgumentError } from 'commander';

/** An argument as it is; a console command is one line, so a line break would begin a second command. */
export function singleLine(text: string): string {
  if (/[\r\n]/.test(text)) throw new InvalidArgumentError('It contains a line break.');
  return text;
}
