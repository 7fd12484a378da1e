import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { checkout } from '../lab/checkout.js';
import { needs } from '../lab/needs.js';

needs('root', 'mptcp', 'openvpn', 'nspawn');

/** Which attempts of test/lab/scenarios/attempts.py depend on the container, and not on the unit. */
const CONNECT_OUT = 'connect to another host';

test('arbitrary code inside the daemon and inside the helper can do nothing that the units refuse', async () => {
  const out = await mkdtemp(path.join(tmpdir(), 'subflowd-sandbox-'));
  try {
    for (const name of ['sandbox-boot.sh', 'sandbox-inside.sh', 'attempts.py'])
      await cp(path.join(checkout, 'test/lab/scenarios', name), path.join(out, name));
    await writeFile(path.join(out, 'checkout'), checkout);
    const script = path.join(out, 'sandbox-boot.sh');
    await promisify(execFile)('unshare', ['--mount', 'bash', script, out, checkout], { timeout: 280_000 });
    const read = (name: string) => readFile(path.join(out, name), 'utf8');

    expect(await read('status')).toMatch(/server server: .*management connected/);
    const capabilities = await read('capabilities');
    // none; NET_ADMIN and SYS_PTRACE
    expect(capabilities).toMatch(/^daemon CapEff:\s+0{16}$/m);
    expect(capabilities).toMatch(/^helper CapEff:\s+0000000000081000$/m);
    const exposures = (await read('exposures')).match(/\d\.\d/g)?.map(Number) ?? [];
    expect(exposures).toHaveLength(2);
    expect(exposures[0]).toBeLessThanOrEqual(1.5);
    expect(exposures[1]).toBeLessThanOrEqual(3);

    for (const taken of ['daemon', 'helper']) {
      const results = JSON.parse(await read(`taken-${taken}`)) as Record<string, string>;
      expect(Object.keys(results).length).toBeGreaterThan(25);
      const succeeded = Object.keys(results).filter((name) => results[name] === 'done');
      // The helper has no internet sockets at all. systemd's firewall, which the daemon's unit uses, does not work in a container.
      const isOpen = (name: string) => name === CONNECT_OUT && taken === 'daemon';
      expect(succeeded.filter((name) => !isOpen(name))).toEqual([]);
    }
    // both went on to work with that code in them
    expect(await read('status-after')).toMatch(/server server: .*management connected/);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}, 300_000);
