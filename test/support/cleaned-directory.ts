import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Cleanup } from '../lab/cleanup.js';

/** Makes a directory that a clean-up removes: for what several tests of a file share. */
export async function cleanedDirectory(cleanup: Cleanup): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'subflowd-shared-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
