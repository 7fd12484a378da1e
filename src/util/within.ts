/**
 * Waits for work, but not longer than so many milliseconds. The work goes on.
 * @returns whether it ended in that time.
 * @throws {Error} of the work, if it fails in that time.
 */
export async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  try {
    return await Promise.race([work.then(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}
