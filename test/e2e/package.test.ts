import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const CHECKOUT = resolve(import.meta.dirname, '../..');
interface Lock {
  readonly packages: Record<
    string,
    { version?: string; integrity?: string; dev?: boolean; optional?: boolean }
  >;
}

let directory: string;
let copy: string;

beforeEach(async () => {
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
  it('holds the versions of the lockfile, and not what only a checkout needs', async () => {
    const packed = await execa('npm', ['pack', '--pack-destination', directory], { cwd: copy });
    const tarball = join(directory, packed.stdout.trim().split('\n').at(-1) ?? '');
    expect(existsSync(join(copy, 'npm-shrinkwrap.json'))).toBe(false);
    const { stdout } = await execa('tar', ['-xzOf', tarball, 'package/npm-shrinkwrap.json']);
    const { packages } = JSON.parse(stdout) as Lock;
    const lock = readJson(copy, 'package-lock.json') as Lock;
    const wanted = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    expect(wanted.length).toBeGreaterThan(40);
    expect(Object.entries(packages).filter(([path]) => path !== '')).toEqual(wanted);
  });
});
