/** Lines of the kind `  CC  file` that a build of the lab's 6.1 config prints; other versions differ by a few per cent. */
const expectedSteps = 1700;
const everyPercent = 5;

/** Turns make's output into a percentage now and then. */
export class BuildProgress {
  #steps = 0;
  #reported = 0;

  constructor(private readonly version: string) {}

  /** @returns what to tell, or nothing when there is nothing new to tell. */
  line(text: string): string | undefined {
    if (!/^ {2}(?:CC|AS|LD|AR)\b/.test(text)) return undefined;
    this.#steps += 1;
    // The count is an estimate: 100 % is said by whoever sees the build end.
    const percent = Math.min(99, Math.floor((this.#steps / expectedSteps) * 100));
    if (percent < this.#reported + everyPercent) return undefined;
    this.#reported = percent - (percent % everyPercent);
    return `kernel ${this.version}: ${this.#reported} %`;
  }
}
