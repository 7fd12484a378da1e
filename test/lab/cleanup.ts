/** Steps that undo what was made. They run at the end, the newest first, also after an error or a signal. */
export class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];
  #running: Promise<void> | undefined;

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  /** Runs every step, even if some fail. A second call waits for the first. @throws {AggregateError} with all failures. */
  run(): Promise<void> {
    this.#running ??= this.#runSteps();
    return this.#running;
  }

  /** Runs the steps also at a signal that ends programs in a terminal, and then exits with the code of that signal. */
  onSignals(): void {
    for (const [signal, code] of [
      ['SIGHUP', 129],
      ['SIGINT', 130],
      ['SIGQUIT', 131],
      ['SIGTERM', 143],
    ] as const) {
      process.once(signal, () => {
        void this.run().finally(() => process.exit(code));
      });
    }
  }

  async #runSteps(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'cleaning up failed');
  }
}

/** Calls `act`, and then runs the steps that it added, also after an error or a signal. */
export async function withCleanup<Result>(act: (cleanup: Cleanup) => Promise<Result>): Promise<Result> {
  const cleanup = new Cleanup();
  cleanup.onSignals();
  try {
    return await act(cleanup);
  } finally {
    await cleanup.run();
  }
}
