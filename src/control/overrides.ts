import { readFileSync, renameSync, openSync, writeSync, fsyncSync, closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { makeDirectory } from '../directory.js';
import type { Overrides } from '../steering/rule.js';

const FILE = z.object({ version: z.literal(1), overrides: z.record(z.string(), z.string()) });

/**
 * Admins' overrides, each kept until it is taken back: in a file, since they are the one thing that cannot be observed
 * again after a restart. Written whole and synchronously, before the command that changed them is answered.
 */
export class OverrideStore {
  readonly #overrides = new Map<string, string>();

  /**
   * Reads what is there; a missing file is an empty one.
   * @throws {Error} naming the file if it is damaged: forgetting what admins asked for would be worse.
   */
  constructor(private readonly path: string) {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw new Error(`${path}: the overrides cannot be read: ${(error as Error).message}`, { cause: error });
    }
    const parsed = FILE.safeParse(parseJson(text));
    if (!parsed.success) {
      throw new Error(`${path}: this is not a file of overrides; mend it, or remove it to start without any`);
    }
    for (const [key, value] of Object.entries(parsed.data.overrides)) this.#overrides.set(key, value);
  }

  all(): Overrides {
    return this.#overrides;
  }

  /** Sets an override, or takes it back when `path` is undefined. @throws {Error} if it cannot be kept. */
  set(key: string, path: string | undefined): void {
    const next = new Map(this.#overrides);
    if (path === undefined) next.delete(key);
    else next.set(key, path);
    this.#write(next);
    this.#overrides.clear();
    for (const entry of next) this.#overrides.set(...entry);
  }

  #write(overrides: Overrides): void {
    const text = JSON.stringify({ version: 1, overrides: Object.fromEntries(overrides) });
    makeDirectory(dirname(this.path));
    const next = `${this.path}.new`;
    const file = openSync(next, 'w', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, this.path);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
