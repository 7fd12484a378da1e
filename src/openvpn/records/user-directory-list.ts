import { readdirSync } from 'node:fs';
import { userOrNumber, type User } from '../../util/accounts.js';
import { whyDenied } from '../../util/denied.js';
import { reasonOf } from '../../util/errno.js';
import type { DirectoryProblems } from './directory-problems.js';
import { describeUnwatched, type DirectoryWatch } from './directory-watch.js';
import {
  checkEventsDirectory,
  defaultHookUsers,
  ensureEventsDirectory,
  UnsafeDirectoryError,
} from './events-directory.js';

/** Largest number of users whose directories are read. */
export const MAX_USERS = 64;

/** Options of {@link UserDirectoryList}. */
export interface UserDirectoryListOptions {
  /** The users whose directories to make; default: root and nobody. */
  readonly users: readonly User[] | undefined;
  /** Number of the group that may write to the users' directories, besides the owners. */
  readonly group: number | undefined;
  /** Milliseconds between two listings if the events directory cannot be watched; for a message. */
  readonly rescanMs: number;
}

/** Makes the users' directories in one events directory, and lists all directories that it contains. */
export class UserDirectoryList {
  /** The users whose directories to make, by name. */
  readonly #users: Map<string, User>;

  /** @param watch the watch of the events directory, which {@link list} starts. */
  constructor(
    private readonly watch: DirectoryWatch,
    private readonly problems: DirectoryProblems,
    private readonly options: UserDirectoryListOptions,
  ) {
    this.#users = new Map((options.users ?? defaultHookUsers()).map((user) => [user.name, user]));
  }

  /** Adds a user whose directory to make. @returns whether the user is new. */
  addUser(uid: number): boolean {
    const user = userOrNumber(uid);
    if (this.#users.has(user.name)) return false;
    this.#users.set(user.name, user);
    return true;
  }

  /**
   * Checks the events directory, makes what is missing, and lists the users' directories. Reports what fails.
   * @returns their names; none if the events directory is not safe; undefined if they cannot be listed, so they may be the
   * same as before.
   */
  list(): string[] | undefined {
    const { path } = this.watch;
    try {
      // without the directories of users, whose problems are reported one by one
      ensureEventsDirectory(path, []);
      checkEventsDirectory(path);
      this.#watch();
      this.problems.resolve('events');
    } catch (error) {
      this.watch.close();
      this.problems.report('events', `cannot read what the hooks record: ${reasonOf(error)}`);
      return [];
    }
    this.#makeMissing();
    return this.#readNames();
  }

  /** Starts the watch, or continues it if the directory was replaced. */
  #watch(): void {
    const { path } = this.watch;
    try {
      this.watch.update();
      this.problems.resolve('watch');
    } catch (error) {
      this.problems.report('watch', describeUnwatched(path, this.options.rescanMs, error));
    }
  }

  /** Makes the directories of users that are missing. */
  #makeMissing(): void {
    for (const user of this.#users.values()) {
      try {
        ensureEventsDirectory(this.watch.path, [user], this.options.group);
        this.problems.resolve(`make ${user.name}`);
      } catch (error) {
        // the directory itself reports if it is unsafe
        if (error instanceof UnsafeDirectoryError) continue;
        this.problems.report(
          `make ${user.name}`,
          `cannot read what the hooks of ${user.name} record: ${reasonOf(error)}`,
        );
      }
    }
  }

  #readNames(): string[] | undefined {
    const { path } = this.watch;
    try {
      const names = readdirSync(path);
      this.problems.resolve('list');
      if (names.length > MAX_USERS) {
        this.problems.report(
          'users',
          `${path} holds more than ${MAX_USERS} directories: the others are not read; ` +
            'to fix it: remove the directories of users that do not run OpenVPN',
        );
      } else this.problems.resolve('users');
      return names.slice(0, MAX_USERS);
    } catch (error) {
      this.problems.report('list', `cannot read ${path}: ${whyDenied(error, 'read', path)}`);
      return undefined;
    }
  }
}
