import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bootHere } from '../lab/boot-here.js';
import { needs } from '../lab/needs.js';

needs('root', 'mptcp', 'openvpn', 'nspawn');

/** Which attempts of test/lab/scenarios/attempts.py depend on the container, and not on the unit. */
const CONNECT_OUT = 'connect to another host';

test('arbitrary code inside the daemon and inside the helper can do nothing that the units refuse', async () => {
  const out = await mkdtemp(path.join(tmpdir(), 'subflowd-sandbox-'));
  try {
    await bootHere(out, 'sandbox-inside.sh', ['attempts.py']);
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
