/** One mistake in a config file, or a file that cannot be read. */
export interface ConfigProblem {
  /** 1 for the first line; absent if the problem is the file as a whole. */
  readonly line?: number;
  /** The section as written, e.g. `[path wifi]`. */
  readonly section?: string;
  readonly key?: string;
  /** What is wrong and how to fix it, without the file, line and section. */
  readonly message: string;
}

/** `FILE:LINE: [SECTION]: MESSAGE`, which editors can jump to. */
export function formatProblem(file: string, { line, section, message }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return section === undefined ? `${place}: ${message}` : `${place}: ${section}: ${message}`;
}

/** A config file that cannot be used, with all its problems in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly file: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    super(problems.map((problem) => formatProblem(file, problem)).join('\n'));
  }
}
