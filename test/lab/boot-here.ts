import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { checkout } from './checkout.js';

const SCENARIOS = path.join(checkout, 'test/lab/scenarios');

/**
 * Boots this machine's system in a container with systemd, and runs a script of test/lab/scenarios there. What the container
 * changes is lost, but for the directory `out`, which is /trial there.
 * @param others further files of test/lab/scenarios that the script needs in /trial.
 */
export async function bootHere(out: string, script: string, others: readonly string[] = []): Promise<void> {
  for (const name of [script, ...others]) await cp(path.join(SCENARIOS, name), path.join(out, name));
  const boot = path.join(SCENARIOS, 'boot-here.sh');
  await promisify(execFile)('unshare', ['--mount', 'bash', boot, out, checkout, script], {
    timeout: 280_000,
  });
}
