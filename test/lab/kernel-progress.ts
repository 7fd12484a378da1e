/** How many lines such as `  CC  file` a build of the lab's 6.1 config prints. Other versions differ by a few per cent. */
const expectedSteps = 1700;
const everyPercent = 5;

/** Turns the output of make into percentages. */
export class BuildProgress {
  #steps = 0;
  #reported = 0;

  constructor(private readonly version: string) {}

  /** @returns a line with the progress; undefined if there is no new progress. */
  line(text: string): string | undefined {
    if (!/^ {2}(?:CC|AS|LD|AR)\b/.test(text)) return undefined;
    this.#steps += 1;
    // The count is an estimate. The caller reports the end of the build.
    const percent = Math.min(99, Math.floor((this.#steps / expectedSteps) * 100));
    if (percent < this.#reported + everyPercent) return undefined;
    this.#reported = percent - (percent % everyPercent);
    return `kernel ${this.version}: ${this.#reported} %`;
  }
}
