import type { ConfigProblem } from './problem.js';

/** The most problems that are reported one by one. */
export const MAX_PROBLEMS = 100;

/** The longest message of one problem, characters. */
export const MAX_MESSAGE_LENGTH = 2000;

/** The first problems in the order of the file, and how many more there are. */
export function problemList(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const inOrder = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const listed = inOrder
    .slice(0, MAX_PROBLEMS)
    .map(({ message, ...rest }) => ({ ...rest, message: clip(message) }));
  const more = problems.length - listed.length;
  return more > 0 ? [...listed, { message: `and ${more} more mistakes` }] : listed;
}

/** A message can quote a value that is as long as the file. */
function clip(message: string): string {
  return message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message;
}
