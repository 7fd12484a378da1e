import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { cacheDirectory, checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { needs, networkNeeds } from '../lab/needs.js';

needs(...networkNeeds, 'nspawn');

/** The suites to try; each takes some minutes. */
const SUITES = (process.env.SUITES ?? 'bookworm').split(',');

/** How this host reaches the npm registry, which is not what is tested: the same files are in the container. */
const OF_THIS_HOST = ['/etc/npmrc', '/etc/resolv.conf'];
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
/** Without Node's headers of this host. */
const DEMO = `
  grep -v -e nodedir -e cafile /host-npmrc >/root/.npmrc || :
  [ ! -s /host-certificates ] || echo cafile=/host-certificates >>/root/.npmrc
  git -c safe.directory='*' clone --quiet file:///clone.git /root/subflowd
  cd /root/subflowd && test/demo.sh`;

it.each(SUITES)(
  'a clone on a bare Debian %s needs only git: it brings Node, and runs the demo',
  async (suite) => {
    const cleanup = new Cleanup();
    try {
      const base = path.join(cacheDirectory(), 'debian', `${suite}+git`);
      await execa('bash', [path.join(checkout, 'test/lab/debian/base.sh'), suite, base, 'git']);
      const directory = await mkdtemp(path.join(tmpdir(), 'subflowd-bare-'));
      cleanup.add(() => rm(directory, { recursive: true, force: true }));
      const at = (name: string) => path.join(directory, name);
      for (const name of ['changed', 'work', 'root']) await mkdir(at(name));
      await execa('git', ['clone', '--quiet', '--bare', checkout, at('clone.git')]);
      const overlay = `lowerdir=${base},upperdir=${at('changed')},workdir=${at('work')}`;
      await execa('mount', ['-t', 'overlay', 'overlay', at('root'), '-o', overlay]);
      cleanup.add(() => execa('umount', ['--lazy', at('root')]));
      const own = path.join(homedir(), '.npmrc');
      const files = OF_THIS_HOST.filter((file) => existsSync(file)).map((file) => `--bind-ro=${file}`);
      const binds = [
        `--bind-ro=${at('clone.git')}:/clone.git`,
        `--bind-ro=${existsSync(CERTIFICATES) ? CERTIFICATES : '/dev/null'}:/host-certificates`,
        `--bind-ro=${existsSync(own) ? own : '/dev/null'}:/host-npmrc`,
      ];
      const { all, exitCode } = await execa(
        'systemd-nspawn',
        [
          ...[
            '--quiet',
            '--register=no',
            '--keep-unit',
            '--console=pipe',
            '--resolv-conf=off',
            `--directory=${at('root')}`,
          ],
          ...['--capability=all', '--bind=/dev/net/tun', ...files, ...binds],
          ...['--setenv=NODE_EXTRA_CA_CERTS=/host-certificates', '/bin/bash', '-c', DEMO],
        ],
        // the demo makes network namespaces, and sets their sysctls
        { all: true, reject: false, stdin: 'ignore', env: { SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'yes' } },
      );
      expect(exitCode, all.slice(-4000)).toBe(0);
      expect(all).toContain('taking them from the npm registry');
      expect(all).toMatch(/hash matches, 0 reconnects/);
    } finally {
      await cleanup.run();
    }
  },
  900_000,
);
