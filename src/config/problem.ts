/** One thing that is wrong with a config file. */
export interface ConfigProblem {
  /** 1 for the first line; absent when the file as a whole is meant. */
  readonly line?: number;
  /** The section as written, e.g. `[path wifi]`. */
  readonly section?: string;
  readonly key?: string;
  /** What is wrong and how to mend it, without the place. */
  readonly message: string;
}

/** `FILE:LINE: [SECTION]: MESSAGE`, the form that editors know how to jump to. */
export function formatProblem(file: string, { line, section, message }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return section === undefined ? `${place}: ${message}` : `${place}: ${section}: ${message}`;
}

/** A config file that cannot be used; carries everything that is wrong with it, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly file: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    super(problems.map((problem) => formatProblem(file, problem)).join('\n'));
  }
}
