import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The members of a package.json that matter here. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** How the files are named that packages keep their licences in. */
const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)(?:[-.].*)?$/i;

/**
 * The licences of all packages that have a file in a bundle, one text.
 * @param root the directory with `node_modules`.
 * @param files the files of the bundle, relative to `root`.
 * @throws {Error} if a package does not say its licence.
 */
export function licencesOf(root: string, files: readonly string[]): string {
  const packages = new Set(files.flatMap((file) => packageDirectory(file) ?? []));
  const texts = [...packages].sort().map((directory) => licenceOf(path.join(root, directory)));
  return `subflowd contains these packages.\n\n${texts.join('\n')}`;
}

/** The directory of the package that a file belongs to; undefined for a file of subflowd. */
function packageDirectory(file: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

function licenceOf(directory: string): string {
  const manifest = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as Manifest;
  const { name, version, license } = manifest;
  if (license === undefined) throw new Error(`${directory}/package.json names no licence`);
  const texts = readdirSync(directory)
    .filter((file) => LICENCE_FILE.test(file))
    .sort()
    .map((file) => readFileSync(path.join(directory, file), 'utf8').trim());
  return [`## ${name} ${version} (${license})`, '', ...texts, ''].join('\n');
}
