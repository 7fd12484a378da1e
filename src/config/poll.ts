import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

import { mountRoot } from './mount-root.js';

/** Milliseconds between two looks: one costs some ten microseconds. */
const PAUSE_MS = 1000;

export interface FilePollListener {
  /** The path stands for another file than at the last look, or its file was written to, or has to be read again. */
  readonly onChange: () => void;
  /** Whether the file that is there could not be read: no descriptor was left, or its disk failed. */
  readonly isUnread: () => boolean;
  /**
   * The file is mounted by itself, and on its own file system it no longer has the name that it was mounted by: it was
   * replaced there. What is saved there now cannot be seen here.
   */
  readonly onCutOff: () => void;
}

/**
 * Looks at a file every second, for changes that no event reports: of a file that is mounted by itself (`mount --bind`,
 * `docker run -v FILE:FILE`, `subPath`), since the kernel tells those who watch the directory that the writer sees, not
 * the one that holds the mount; of a mount on top of it; and of network file systems, which report what this host does.
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

  /** Resolves once the file was looked at: each change after that is reported. */
  async start(): Promise<void> {
    this.#last = await look(this.file);
    this.#root = await mountRoot(this.file);
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    // one at a time: a file system that does not answer holds up one look
    this.#timer = setTimeout(() => {
      void this.#lookAgain();
    }, PAUSE_MS);
  }

  async #lookAgain(): Promise<void> {
    const now = await look(this.file);
    if (this.#isStopped) return;
    const last = this.#last;
    this.#last = now;
    const isSame = last?.dev === now?.dev && last?.ino === now?.ino;
    const isUntouched =
      last?.size === now?.size && last?.mtimeNs === now?.mtimeNs && last?.ctimeNs === now?.ctimeNs;
    if (!isSame || !isUntouched || (now !== undefined && this.listener.isUnread())) this.listener.onChange();
    // losing its name, to another file or a backup of itself, is a change of the file's
    if (!isSame || !isUntouched) await this.#lookAtRoot(isSame);
    this.#schedule();
  }

  async #lookAtRoot(isSame: boolean): Promise<void> {
    const last = this.#root;
    this.#root = await mountRoot(this.file);
    if (this.#isStopped || !isSame || last === undefined || this.#root === undefined) return;
    if (this.#root !== last) this.listener.onCutOff();
  }
}

/** What keeps it from being looked at is for those who read it to report. */
async function look(file: string): Promise<BigIntStats | undefined> {
  return stat(file, { bigint: true }).catch(() => undefined);
}
