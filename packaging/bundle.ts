import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { licencesOf } from './licences.js';

/**
 * Bundles the program and the packages that it uses into `dist/bundle`: a few files load faster than more than a hundred
 * modules, and nothing has to be installed beside them. `npm run build` calls this after the compiler.
 */
const root = path.resolve(import.meta.dirname, '../..');
const directory = path.join(root, 'dist/bundle');

rmSync(directory, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  outdir: directory,
  bundle: true,
  splitting: true,
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
});
chmodSync(path.join(directory, 'main.js'), 0o755);
writeFileSync(path.join(directory, 'LICENCES.txt'), licencesOf(root, Object.keys(metafile.inputs)));
