import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

import { mountRoot } from './mount-root.js';

/** Milliseconds between two polls. A poll takes about ten microseconds. */
const PAUSE_MS = 1000;

export interface FilePollListener {
  /** Called if the path names another file than at the last poll, or the file was written to or must be read again. */
  readonly onChange: () => void;
  /** Whether the file exists but could not be read: no descriptor was left, or its disk failed. */
  readonly isUnread: () => boolean;
  /**
   * Called if the file is mounted by itself, and was replaced on its own file system: it no longer has the name there
   * that was mounted. What is saved under that name now is not visible here.
   */
  readonly onCutOff: () => void;
}

/**
 * Polls a file every second, for changes that the kernel reports no event for:
 * - The file is mounted by itself (`mount --bind`, `docker run -v FILE:FILE`, `subPath`). The event then goes to the
 *   directory that the writer sees, not to the one that has the mount.
 * - Something was mounted on top of the file.
 * - It is on a network file system, which reports only what this host does.
 */
export class FilePoll {
  #last: BigIntStats | undefined;
  /** See {@link mountRoot}. */
  #root: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly file: string,
    private readonly listener: FilePollListener,
  ) {}

  /** Resolves after the first poll; each change after that is reported. */
  async start(): Promise<void> {
    this.#last = await statusOf(this.file);
    this.#root = await mountRoot(this.file);
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    // The next poll is scheduled after this one, so polls do not pile up on a file system that does not answer.
    this.#timer = setTimeout(() => {
      void this.#poll();
    }, PAUSE_MS);
  }

  async #poll(): Promise<void> {
    const now = await statusOf(this.file);
    if (this.#isStopped) return;
    const last = this.#last;
    this.#last = now;
    const isSame = last?.dev === now?.dev && last?.ino === now?.ino;
    const isUntouched =
      last?.size === now?.size && last?.mtimeNs === now?.mtimeNs && last?.ctimeNs === now?.ctimeNs;
    if (!isSame || !isUntouched || (now !== undefined && this.listener.isUnread())) this.listener.onChange();
    // a file that loses its name, to another file or as a backup of itself, gets a new ctime
    if (!isSame || !isUntouched) await this.#checkMountRoot(isSame);
    this.#schedule();
  }

  async #checkMountRoot(isSame: boolean): Promise<void> {
    const last = this.#root;
    this.#root = await mountRoot(this.file);
    if (this.#isStopped || !isSame || last === undefined || this.#root === undefined) return;
    if (this.#root !== last) this.listener.onCutOff();
  }
}

/** Undefined if that fails: the code that reads the file reports why. */
async function statusOf(file: string): Promise<BigIntStats | undefined> {
  return stat(file, { bigint: true }).catch(() => undefined);
}
