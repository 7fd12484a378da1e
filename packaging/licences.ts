import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The members of a package.json that matter here. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** How the files are named that packages keep their licences in. */
const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)(?:[-.].*)?$/i;

/** A package that has files in the bundle. */
export interface BundledPackage {
  readonly directory: string;
  readonly manifest: Manifest;
}

/**
 * The packages that have a file in a bundle, in the order of their directories.
 * @param root the directory with `node_modules`.
 * @param files the files of the bundle, relative to `root`.
 */
export function bundledPackages(root: string, files: readonly string[]): BundledPackage[] {
  const directories = new Set(files.flatMap((file) => packageDirectory(file) ?? []));
  return [...directories].sort().map((name) => {
    const directory = path.join(root, name);
    const text = readFileSync(path.join(directory, 'package.json'), 'utf8');
    return { directory, manifest: JSON.parse(text) as Manifest };
  });
}

/**
 * The licences of packages, one text.
 * @throws {Error} if a package does not say its licence.
 */
export function licencesOf(packages: readonly BundledPackage[]): string {
  return `subflowd contains these packages.\n\n${packages.map(licenceOf).join('\n')}`;
}

/** The directory of the package that a file belongs to; undefined for a file of subflowd. */
function packageDirectory(file: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

function licenceOf({ directory, manifest }: BundledPackage): string {
  const { name, version, license } = manifest;
  if (license === undefined) throw new Error(`${directory}/package.json names no licence`);
  const texts = readdirSync(directory)
    .filter((file) => LICENCE_FILE.test(file))
    .sort()
    .map((file) => readFileSync(path.join(directory, file), 'utf8').trim());
  return [`## ${name} ${version} (${license})`, '', ...texts, ''].join('\n');
}
