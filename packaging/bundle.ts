import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { bundledPackages, licencesOf } from './licences.js';

/**
 * Bundles the program and the packages that it uses into `dist/bundle`: a few files load faster than more than a hundred
 * modules, and nothing has to be installed beside them. `npm run build` calls this after the compiler.
 */
const root = path.resolve(import.meta.dirname, '../..');
const directory = path.join(root, 'dist/bundle');

/** What both parts have in common. */
const options = {
  absWorkingDir: root,
  outdir: directory,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minify: true,
  // Names of classes are in stacks and in the text of errors.
  keepNames: true,
  // Some packages call require, which a module does not have.
  banner: {
    js: "import { createRequire as requireOfBundle } from 'node:module'; const require = requireOfBundle(import.meta.url);",
  },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

rmSync(directory, { recursive: true, force: true });
// One file has all that the quick commands need: a file of its own for each shared part would cost them more time.
const quick = await build({
  ...options,
  entryPoints: { main: 'src/start.ts' },
  plugins: [
    {
      name: 'rest of the program',
      setup: (bundler) => {
        bundler.onResolve({ filter: /^\.\/main\.js$/ }, () => ({ path: './program.js', external: true }));
      },
    },
  ],
});
const rest = await build({ ...options, entryPoints: { program: 'src/main.ts' }, splitting: true });
chmodSync(path.join(directory, 'main.js'), 0o755);
const packages = bundledPackages(root, Object.keys({ ...quick.metafile.inputs, ...rest.metafile.inputs }));
writeFileSync(path.join(directory, 'LICENCES.txt'), licencesOf(packages));
// for the bill of materials of a release (packaging/sbom.ts)
writeFileSync(
  path.join(root, 'dist/bundled-packages.json'),
  JSON.stringify(packages.map(({ manifest: { name, version } }) => `${name}@${version}`)),
);
