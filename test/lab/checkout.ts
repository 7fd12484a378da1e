import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** The root directory of the checkout. This file is in `test/lab` or in `dist/test/lab` below it. */
export const checkout = findRoot(import.meta.dirname);

/** The directory for what takes long to make, outside the checkout: `SUBFLOWD_CACHE`, or else the user's cache directory. */
export function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  return process.env.SUBFLOWD_CACHE ?? path.join(base, 'subflowd');
}

/** The compiled form of `test/lab/NAME.ts`, for processes that run in a namespace or a guest. */
export function labScript(name: string): string {
  const script = path.join(checkout, 'dist/test/lab', `${name}.js`);
  if (!existsSync(script)) throw new Error(`${script} is missing: run "npm run build" first`);
  return script;
}

function findRoot(from: string): string {
  for (let directory = from; directory !== path.dirname(directory); directory = path.dirname(directory)) {
    if (existsSync(path.join(directory, 'package.json'))) return directory;
  }
  throw new Error(`no package.json in any directory above ${from}`);
}
