import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * Makes a directory for the running test, which is removed after the test and after its `afterEach` hooks. Call it in a test
 * or in `beforeEach`.
 * @param options.mode its permissions; 0700 by default.
 */
export function temporaryDirectory(
  options: { readonly parent?: string; readonly mode?: number } = {},
): string {
  const { parent = tmpdir(), mode } = options;
  const directory = mkdtempSync(join(parent, 'subflowd-test-'));
  if (mode !== undefined) chmodSync(directory, mode);
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}
