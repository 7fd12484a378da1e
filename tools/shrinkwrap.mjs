// Run by npm before it packs: gives the package the versions of package-lock.json, which npm does not publish. An
// admin's `npm install --global` then takes what was tested, not what was published since. `--remove` is for after.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';

const SHRINKWRAP = 'npm-shrinkwrap.json';

if (argv[2] === '--remove') {
  rmSync(SHRINKWRAP, { force: true });
} else {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  // what only a checkout needs is not installed with the package
  const packages = Object.entries(lock.packages).filter(([, { dev, devOptional }]) => !dev && !devOptional);
  const root = { ...lock.packages[''] };
  delete root.devDependencies;
  lock.packages = { ...Object.fromEntries(packages), '': root };
  writeFileSync(SHRINKWRAP, `${JSON.stringify(lock, undefined, 2)}\n`);
}
