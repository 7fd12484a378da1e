import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { cacheDirectory, checkout } from './checkout.js';
import { BuildProgress } from './kernel-progress.js';

/** A kernel that a guest can boot. */
export interface Kernel {
  readonly bzImage: string;
  /** The same build with its symbols, DWARF and BTF. */
  readonly vmlinux: string;
}

/**
 * The lab's kernels, by the `linux-source-VERSION` packages of Debian 12 and its security archive. They differ in what
 * subflowd is about: from 6.12.5 on, the byte of `request_bkup` holds `map_valid` as well.
 */
export const kernelVersions = ['6.1', '6.12'] as const;

/** The version that is used where none is named. */
export const defaultKernelVersion = '6.1';

/** Where Debian's `linux-source-VERSION` puts the source. */
export function kernelSource(version: string): string {
  return `/usr/src/linux-source-${version}.tar.xz`;
}

/**
 * The lab's kernel of one version, from the cache or built now (about ten minutes on two cores).
 * Two builders at once do no harm: the second waits for the first and takes what it made.
 * @param version of Debian's `linux-source-VERSION` package, e.g. `6.1`.
 * @throws {Error} if the package is not installed or the build fails, with the end of its output.
 */
export async function labKernel(
  version = defaultKernelVersion,
  progress: (line: string) => void = printProgress,
): Promise<Kernel> {
  const tarball = kernelSource(version);
  if (!existsSync(tarball)) {
    throw new Error(`${tarball} is missing: run "apt-get install linux-source-${version}"`);
  }
  const recipe = path.join(checkout, 'test/lab/kernel/build.sh');
  const fragment = path.join(checkout, 'test/lab/kernel/lab.config');
  const directory = path.join(cacheDirectory(), 'kernels');
  const destination = path.join(directory, `${version}-${await hashOf([tarball, fragment, recipe])}`);
  const kernel = { bzImage: path.join(destination, 'bzImage'), vmlinux: path.join(destination, 'vmlinux') };
  if (existsSync(kernel.bzImage)) return kernel;

  mkdirSync(directory, { recursive: true });
  progress(`kernel ${version}: building into ${destination}`);
  await build(version, recipe, [tarball, fragment, destination], progress);
  return kernel;
}

async function build(
  version: string,
  recipe: string,
  inputs: readonly [tarball: string, fragment: string, destination: string],
  progress: (line: string) => void,
): Promise<void> {
  // flock's lock goes with the process that holds it, so a builder that was killed blocks nobody.
  const script = 'test -e "$3/bzImage" || sh "$0" "$@"';
  const child = execa('flock', [`${inputs[2]}.lock`, 'sh', '-c', script, recipe, ...inputs], {
    all: true,
    stdin: 'ignore',
    maxBuffer: 100_000_000,
    reject: false,
  });
  const meter = new BuildProgress(version);
  for await (const line of child.iterable({ from: 'all' })) {
    const report = meter.line(line);
    if (report !== undefined) progress(report);
  }
  const { exitCode, all } = await child;
  if (exitCode !== 0) {
    throw new Error(`building kernel ${version} failed:\n${all.split('\n').slice(-30).join('\n')}`);
  }
  progress(`kernel ${version}: ready`);
}

/** The first 16 hex digits of the SHA-256 over the files' contents. */
async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) {
    await pipeline(createReadStream(file), hash, { end: false });
  }
  return hash.digest('hex').slice(0, 16);
}

function printProgress(line: string): void {
  process.stderr.write(`${line}\n`);
}
