import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, checkout } from '../checkout.js';
import type { Cleanup } from '../cleanup.js';
import { until } from '../../support/until.js';

/** Longest wait for systemd to start, milliseconds. */
const BOOT_MS = 120_000;

/**
 * Prints everything that a package can leave: each file with its mode and owner, the accounts, and the settings of MPTCP.
 * Without logs, caches, what dpkg and systemd store about packages that were here, and backups of the accounts.
 */
export const LIST_HOST = `
  find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache \\
    -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /packages -o -path '/var/tmp/systemd-private-*' -o -name '*-' \\) -prune -o -printf '%p %M %u %g\\n' | sort
  cat /etc/passwd /etc/group; grep -r . /proc/sys/net/mptcp; systemctl list-unit-files --no-legend --no-pager`;

/** How a command in a container ended. */
export interface Result {
  readonly code: number | undefined;
  /** What it wrote to standard output and standard error, in the order in which it did. */
  readonly output: string;
}

/** A Debian that was booted with systemd in a container of its own, with no network. What it writes is gone afterwards. */
export class DebianContainer {
  private constructor(
    /** Its root directory, as this host sees it. */
    readonly root: string,
    /** The PID of its systemd, as this host sees it. */
    private readonly leader: number,
  ) {}

  /**
   * Boots a minimal Debian.
   * @param suite its name, such as `bookworm`.
   * @param directory an empty directory for what it writes.
   * @param packages what it has besides systemd and procps.
   */
  static async boot(
    suite: string,
    directory: string,
    cleanup: Cleanup,
    packages: readonly string[] = [],
  ): Promise<DebianContainer> {
    const base = path.join(cacheDirectory(), 'debian', [suite, ...packages].join('+'));
    await execa('bash', [path.join(checkout, 'test/lab/debian/base.sh'), suite, base, ...packages]);
    const at = (name: string) => path.join(directory, name);
    for (const name of ['changed', 'work', 'root']) await mkdir(at(name), { recursive: true });
    await execa('mount', [
      ...['-t', 'overlay', 'overlay', at('root')],
      ...['-o', `lowerdir=${base},upperdir=${at('changed')},workdir=${at('work')}`],
    ]);
    cleanup.add(() => execa('umount', ['--lazy', at('root')]));
    // systemd-nspawn keeps directories in /run that it can only remove from a tmpfs.
    const nspawn =
      'mount -t tmpfs tmpfs /run && exec systemd-nspawn --quiet --boot --private-network --register=no --keep-unit ' +
      `--console=pipe --directory="$1"`;
    const child = execa('unshare', ['--mount', 'sh', '-c', nspawn, 'sh', at('root')], {
      reject: false,
      stdin: 'ignore',
      all: true,
    });
    cleanup.add(async () => {
      child.kill('SIGTERM');
      await child;
    });
    const { pid } = child;
    let leader: number | undefined;
    await until(
      `Debian ${suite} is up`,
      async () => {
        // The first child of systemd-nspawn is not yet systemd.
        leader = pid === undefined ? undefined : await onlyChildOf(pid);
        if (leader === undefined) return false;
        const { output } = await new DebianContainer(at('root'), leader).run('systemctl is-system-running');
        return /^(?:running|degraded)$/m.test(output);
      },
      BOOT_MS,
    );
    return new DebianContainer(at('root'), leader ?? 0);
  }

  /** Runs a script in the container, as root. */
  async run(script: string): Promise<Result> {
    const { exitCode, all } = await execa(
      'nsenter',
      ['--target', `${this.leader}`, '--all', '--', '/bin/sh', '-c', script],
      {
        all: true,
        reject: false,
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
        extendEnv: false,
      },
    );
    return { code: exitCode, output: all };
  }

  /** Runs a script that must succeed. @returns its output. @throws {Error} with the output if it fails. */
  async must(script: string): Promise<string> {
    const { code, output } = await this.run(script);
    if (code !== 0) throw new Error(`${script}: exit code ${code ?? 'none'}:\n${output}`);
    return output;
  }
}

async function onlyChildOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const [child] = text.split(' ').filter(Boolean);
  return child === undefined ? undefined : Number(child);
}
