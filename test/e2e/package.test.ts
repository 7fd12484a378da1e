import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const CHECKOUT = resolve(import.meta.dirname, '../..');
/** A dependency, and a version of it that the range in package.json allows and that is not its latest. */
const OLDER = { name: 'commander', version: '14.0.0' };

interface Lock {
  readonly packages: Record<
    string,
    { version?: string; integrity?: string; dev?: boolean; optional?: boolean }
  >;
}

let directory: string;
let copy: string;

beforeEach(async (context) => {
  const { failed } = await execa('npm', ['ping'], { reject: false, timeout: 30_000 });
  if (failed && process.env.CI === undefined) context.skip('no package registry can be reached');
  directory = mkdtempSync(join(tmpdir(), 'subflowd-package-'));
  copy = join(directory, 'checkout');
  const { stdout } = await execa('git', ['ls-files', '-z'], { cwd: CHECKOUT });
  for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(CHECKOUT, name)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(CHECKOUT, file), join(copy, file));
  }
  // built already: what npm does before and after it packs is run, the compiler is not
  cpSync(join(CHECKOUT, 'dist/src'), join(copy, 'dist/src'), { recursive: true });
  const manifest = readJson(copy, 'package.json') as { scripts: Record<string, string> };
  manifest.scripts.prepare = 'true';
  writeFileSync(join(copy, 'package.json'), JSON.stringify(manifest));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function readJson(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(...path), 'utf8'));
}

describe('the package', () => {
  it('is installed with the versions of the lockfile, and without what only a checkout needs', async () => {
    const lock = readJson(copy, 'package-lock.json') as Lock;
    const entry = lock.packages[`node_modules/${OLDER.name}`];
    expect(entry?.version).not.toBe(OLDER.version);
    lock.packages[`node_modules/${OLDER.name}`] = { version: OLDER.version };
    writeFileSync(join(copy, 'package-lock.json'), JSON.stringify(lock));

    const packed = await execa('npm', ['pack', '--pack-destination', directory], { cwd: copy });
    const tarball = join(directory, packed.stdout.trim().split('\n').at(-1) ?? '');
    expect(existsSync(join(copy, 'npm-shrinkwrap.json'))).toBe(false);

    const prefix = join(directory, 'prefix');
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
    await execa('npm', ['install', '--global', '--prefix', prefix, ...quiet, tarball]);
    const installed = join(prefix, 'lib/node_modules/subflowd');
    const wanted = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    expect(wanted.length).toBeGreaterThan(40);
    for (const [path, { version }] of wanted) {
      expect.soft(readJson(installed, path, 'package.json'), path).toMatchObject({ version });
    }
    for (const [path, { dev }] of Object.entries(lock.packages)) {
      if (dev === true) expect.soft(existsSync(join(installed, path)), path).toBe(false);
    }
  });
});
