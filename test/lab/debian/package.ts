import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { checkout } from '../checkout.js';

const PACKAGES = path.join(checkout, 'out/packages');

/** Builds the Debian package of this checkout, unless there is one that is newer than every source. @returns its path. */
export async function buildPackage(): Promise<string> {
  if (!(await isUpToDate())) await execa('bash', [path.join(checkout, 'packaging/package.sh')]);
  const found = await findPackages();
  if (found.length !== 1)
    throw new Error(`${PACKAGES} has ${found.length} packages of subflowd, and not one`);
  return path.join(PACKAGES, found[0] ?? '');
}

/** Makes the same package with a higher version. @returns its path, in a directory. */
export async function withHigherVersion(deb: string, directory: string): Promise<string> {
  return repack(deb, path.join(directory, 'newer'), (root) =>
    execa('sed', ['-i', 's/^Version: .*/&+newer/', path.join(root, 'DEBIAN/control')]),
  );
}

/**
 * Makes another package of the files of a package.
 * @param root a directory for the files; the package is beside it.
 * @param change changes the files.
 * @returns the path of the package.
 */
export async function repack(
  deb: string,
  root: string,
  change: (root: string) => Promise<unknown>,
): Promise<string> {
  await execa('dpkg-deb', ['--raw-extract', deb, root]);
  await change(root);
  await execa('dpkg-deb', ['-Znone', '--build', root, `${root}.deb`]);
  return `${root}.deb`;
}

async function findPackages(): Promise<string[]> {
  const names = await readdir(PACKAGES).catch(() => []);
  return names.filter((name) => /^subflowd_.*\.deb$/.test(name));
}

async function isUpToDate(): Promise<boolean> {
  const [name] = await findPackages();
  if (name === undefined) return false;
  const { mtimeMs } = await stat(path.join(PACKAGES, name));
  const { stdout } = await execa(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '--', '.', ':!test'],
    {
      cwd: checkout,
    },
  );
  const times = await Promise.all(
    stdout
      .split('\n')
      .map(async (file) => (await stat(path.join(checkout, file)).catch(() => undefined))?.mtimeMs),
  );
  return times.every((time) => time !== undefined && time < mtimeMs);
}
