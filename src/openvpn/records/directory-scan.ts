import { opendirSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftover } from './leftover.js';
import type { ProcessFacts } from './process.js';
import type { DirectoryProblems } from './directory-problems.js';
import { MAX_ENTRIES, type RecordFiles } from './record-files.js';
import { isTemporaryName } from './record.js';

/** Number of names that are read from a directory at once. */
const BATCH = 64;
/** For how many milliseconds a scan uses again what `/proc` showed about a process. Short, because a process can end. */
const FACTS_MS = 100;

/**
 * Examines every file of a directory, and every file that was there at the last scan. Yields after each file, so that the
 * caller can stop when its time is over.
 * @throws {Error} from the file system, e.g. ENOENT.
 */
export function* scanDirectory(
  path: string,
  files: RecordFiles,
  problems: DirectoryProblems,
): Generator<undefined, void> {
  let facts = new Map<number, ProcessFacts>();
  let factsAt = performance.now();
  const freshFacts = () => {
    const now = performance.now();
    if (now - factsAt > FACTS_MS) [facts, factsAt] = [new Map<number, ProcessFacts>(), now];
    return facts;
  };
  const seen = new Set<string>();
  let hasMore = false;
  // Synchronous, because reading a batch of names takes less time than waking a thread of libuv, which the asynchronous form
  // would do for every 32 names.
  const directory = opendirSync(path, { bufferSize: BATCH });
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (seen.size >= MAX_ENTRIES) {
        hasMore = true;
        problems.report(
          'entries',
          `${path} holds more than ${MAX_ENTRIES} files: the others are not read; to fix it: remove the files that are not ` +
            'of current sessions',
        );
        break;
      }
      const file = join(path, entry.name);
      seen.add(file);
      if (isTemporaryName(entry.name)) removeLeftover(file);
      // without a system call for a name that no hook gives
      else if (files.nameOf(file) === undefined) files.rejectName(file);
      else files.examine(file, freshFacts());
      yield;
    }
  } finally {
    directory.closeSync();
  }
  for (const file of files.paths()) {
    if (seen.has(file)) continue;
    files.examine(file, freshFacts());
    yield;
  }
  if (!hasMore) problems.resolve('entries');
  problems.reportRest();
}
