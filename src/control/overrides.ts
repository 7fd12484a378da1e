import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { writeFileAtomically } from '../util/atomic-file.js';
import { makeDirectory } from '../util/directory.js';
import type { Overrides } from '../steering/rule.js';
import {
  asideText,
  copyOf,
  formatOverrides,
  foundAside,
  HOW_TO_FIX,
  readOverrides,
  setAside,
} from './overrides-file.js';

const FILE_MODE = 0o600;

/**
 * Admins' overrides. Each is kept until an admin removes it. They are the only thing that cannot be observed again
 * after a restart, so they are in a file. It is written synchronously, completely or not at all, before the command
 * that changed them is answered. A copy beside it (`FILE.copy`) is read if the file is damaged.
 */
export class OverrideStore {
  #overrides: Overrides = new Map();
  /** Why the file cannot be read, and what is in force instead; undefined after the file was written again. */
  #unread: string | undefined;
  /** The damaged file that this process renamed. */
  #aside: { readonly name: string; readonly problem: string } | undefined;
  /** Why there is no copy. */
  #uncopied: string | undefined;

  /**
   * Reads the file; a missing file has no overrides. If the file is damaged or cannot be read, the overrides of the
   * copy are in force, or none if the copy cannot be read either; see {@link problems}. A damaged file is then
   * renamed to `FILE.damaged`, and a new one is written.
   */
  constructor(private readonly path: string) {
    const found = readOverrides(path);
    const copy = readOverrides(copyOf(path));
    if ('overrides' in found) {
      this.#overrides = found.overrides;
      // An older version wrote no copy, or this process ended between the two writes.
      if (existsSync(path) && !isDeepStrictEqual(found, copy)) this.#writeCopy(found.overrides);
      return;
    }
    if ('overrides' in copy) this.#overrides = copy.overrides;
    const { size } = this.#overrides;
    const instead = size === 0 ? 'no override is in force' : `its copy is in force, overrides: ${size}`;
    this.#unread = `${found.problem}; ${instead}`;
    if (found.state === 'unreadable') return;
    try {
      this.#write(this.#overrides);
    } catch (error) {
      this.#unread += ` (${(error as Error).message})`;
    }
  }

  /** The overrides in force. */
  all(): Overrides {
    return this.#overrides;
  }

  /** What is wrong with the file, one sentence each, until it is fixed. */
  problems(): string[] {
    const aside = this.#aside;
    return [
      ...(this.#unread === undefined ? [] : [this.#unread]),
      ...foundAside(this.path).map((name) => (name === aside?.name ? aside.problem : asideText(name))),
      ...(this.#uncopied === undefined ? [] : [this.#uncopied]),
    ];
  }

  /**
   * Sets an override, or removes it if `path` is undefined.
   * @param key `qualifiedName` of the client.
   * @throws {Error} if the file cannot be written; then nothing has changed.
   */
  set(key: string, path: string | undefined): void {
    const next = new Map(this.#overrides);
    if (path === undefined) next.delete(key);
    else next.set(key, path);
    try {
      this.#write(next);
    } catch (error) {
      // The new file is in place, but the device reported an error (EIO). A restart would read it, so it is in force.
      if (isDeepStrictEqual(readOverrides(this.path), { overrides: next })) this.#overrides = next;
      throw error;
    }
    this.#overrides = next;
  }

  #write(overrides: Overrides): void {
    const text = formatOverrides(overrides);
    makeDirectory(dirname(this.path));
    if (this.#unread !== undefined) {
      const name = setAside(this.path);
      const problem = `${this.#unread}; it was renamed to ${name ?? ''}: ${HOW_TO_FIX}`;
      if (name !== undefined) this.#aside = { name, problem };
    }
    writeFileAtomically(this.path, text, FILE_MODE);
    this.#unread = undefined;
    this.#writeCopy(overrides);
  }

  /** Does not fail: the file itself is written. An old copy is removed, because it could restore removed overrides. */
  #writeCopy(overrides: Overrides): void {
    const copy = copyOf(this.path);
    this.#uncopied = undefined;
    try {
      writeFileAtomically(copy, formatOverrides(overrides), FILE_MODE);
    } catch (error) {
      this.#uncopied = `the overrides are only in ${this.path}: ${(error as Error).message}`;
      if (existsSync(copy)) removeCopy(copy);
    }
  }
}

function removeCopy(copy: string): void {
  try {
    rmSync(copy);
  } catch {
    // The directory cannot be written to, so the old copy stays.
  }
}
