import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.js';

/** A file system of 64 KiB in a temporary directory, for the running test. It needs root. */
export class SmallDisk {
  private constructor(
    /** The directory that holds the mount point, on another file system. */
    readonly parent: string,
    /** The mount point. */
    readonly path: string,
  ) {}

  /** Mounts one, which is unmounted after the test. Call it in `beforeEach`. */
  static async mount(): Promise<SmallDisk> {
    const parent = temporaryDirectory();
    const path = join(parent, 'disk');
    mkdirSync(path);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', path]);
    onTestFinished(async () => {
      await execa('umount', ['--lazy', path]);
    });
    return new SmallDisk(parent, path);
  }

  /** A file that {@link fill} makes. Remove it to have space again. */
  get filler(): string {
    return join(this.path, 'filler');
  }

  /** Fills the disk. @param left bytes that remain free. */
  fill(left: number): void {
    writeFileSync(this.filler, '');
    try {
      for (;;) writeFileSync(this.filler, Buffer.alloc(4096), { flag: 'a' });
    } catch {
      truncateSync(this.filler, statSync(this.filler).size - left);
    }
  }

  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await execa('mount', ['-o', `remount,${mode}`, this.path]);
  }
}
