import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { cacheDirectory, checkout } from './checkout.js';
import { BuildProgress } from './kernel-progress.js';

/** A kernel that a guest can boot. Both are paths. */
export interface Kernel {
  readonly bzImage: string;
  /** The same build with symbols, DWARF and BTF. */
  readonly vmlinux: string;
}

/**
 * The versions of the lab's kernels, from the `linux-source-VERSION` packages of Debian 12 and its security archive. For
 * subflowd they differ: from 6.12.5 on, the byte of `request_bkup` contains `map_valid` as well.
 */
export const kernelVersions = ['6.1', '6.12'] as const;

/** The version if none is given. */
export const defaultKernelVersion = '6.1';

/** The path of the source in Debian's package `linux-source-VERSION`. */
export function kernelSource(version: string): string {
  return `/usr/src/linux-source-${version}.tar.xz`;
}

/**
 * Gets the lab's kernel of one version from the cache, or builds it (about ten minutes on two cores). If two processes build
 * it at the same time, the second waits for the first and uses its kernel.
 * @param version of Debian's `linux-source-VERSION` package, such as `6.1`.
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
  // The lock of flock ends with the process that has it, so a killed builder does not block others.
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
