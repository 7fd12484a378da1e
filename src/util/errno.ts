/** Whether a caught value is a system error with one of these codes, e.g. `ENOENT`. */
export function hasCode(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
  );
}

/** The message of an error, for a sentence that already names the file or process. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
