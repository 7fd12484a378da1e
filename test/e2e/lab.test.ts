import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Cleanup } from '../lab/cleanup.js';
import { readCounters, trouble } from '../lab/counters.js';
import { GuestError, guestOut, runInGuest } from '../lab/guest.js';
import { labKernel } from '../lab/kernel.js';
import { Meter } from '../lab/meter.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { payloadSha256 } from '../lab/payload.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { buildStage } from '../lab/stage.js';
import { onPaths, sumBytes } from '../lab/traffic.js';
import { startWeb, Transfer } from '../lab/web.js';

const strangeName = `O'Neil "the van" / é.example`;
const size = 2_000_000;

describe('the network of figure 6', () => {
  needs(...networkNeeds);

  let cleanup: Cleanup;
  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test.each([4, 6] as const)('carries tunnels with two subflows each over IPv%i', async (family) => {
    const stage = await buildStage(cleanup, { clients: 2, family });
    await Promise.all([stage.connect(0, 'alice'), stage.connect(1, strangeName)]);
    expect(await stage.server.log()).toContain(`CN=${strangeName}`);

    await startWeb(cleanup, stage.network);
    const downloads = stage.network.clients.map((host) =>
      Transfer.download(stage.network, host.namespace, size),
    );
    for (const download of downloads) {
      expect(await download.done).toMatchObject({ bytes: size, sha256: payloadSha256(size) });
    }
    for (const { namespace, addresses } of stage.network.clients) {
      const { stdout } = await namespace.run('ss', ['-tnH', 'state', 'established', '( dport = 1194 )']);
      expect(stdout.split('\n')).toHaveLength(2);
      // A subflow that the path manager opened is bound to its device: address%device.
      const ends = stdout.replaceAll(/%\w+/g, '');
      for (const { v4, v6 } of Object.values(addresses)) {
        expect(ends).toContain(family === 4 ? `${v4}:` : `[${v6}]:`);
      }
    }
  });

  test('has a meter that counts each path, and error counters that do not rise', async () => {
    const stage = await buildStage(cleanup);
    const [host] = stage.network.clients;
    if (host === undefined) throw new Error('no client');
    // The client asks for backup on its second path (the B bit of MP_JOIN), so all payload must use the first.
    await host.namespace.ip([`mptcp endpoint change ${host.addresses.lte?.v4 ?? ''} backup`]);
    const tunnel = await stage.connect(0, 'alice');
    await startWeb(cleanup, stage.network);
    const before = await readCounters(stage.network.server);
    const meter = await Meter.start(
      host.namespace,
      path.join(path.dirname(stage.files.config), 'client.pcap'),
    );

    const upload = await Transfer.upload(stage.network, host.namespace, size).done;
    expect(upload).toMatchObject({ bytes: size, sha256: payloadSha256(size) });

    const packets = onPaths(await meter.stop(), host.addresses);
    expect(sumBytes(packets, { path: 'wifi', direction: 'toServer' })).toBeGreaterThan(size);
    expect(sumBytes(packets, { path: 'lte' })).toBe(0);
    expect(await tunnel.reconnects()).toBe(0);
    expect(trouble(before, await readCounters(stage.network.server))).toEqual({});
  });
});

describe('a guest', () => {
  needs('guest');

  let out: string;
  beforeEach(() => {
    out = temporaryDirectory();
  });

  test('runs a command with the host’s files, returns its output and exit code, and keeps the files that it wrote', async () => {
    const { bzImage } = await labKernel();
    const script = `node -p process.version; uname -r; pwd; test -c /dev/mem; date >"$LAB_OUT/date"; exit 7`;
    const heard: string[] = [];
    const result = await runInGuest({
      kernel: bzImage,
      append: 'nopat',
      command: ['sh', '-ec', script],
      out,
      timeoutMs: 120_000,
      onOutput: (chunk) => heard.push(chunk),
    });
    const [node, release, directory] = result.output.split('\n');
    expect(node).toBe(process.version);
    expect(release).toMatch(/^6\.1\./);
    expect(directory).toBe(path.resolve(import.meta.dirname, '../..'));
    expect(result.code).toBe(7);
    expect(heard.join('')).toBe(result.output);
    expect(result.consoleLog).toContain('nopat');
    expect(await readFile(path.join(out, 'date'), 'utf8')).not.toBe('');
    expect(guestOut.startsWith('/run/')).toBe(true);
  });

  test('runs a command as a unit of the host’s systemd', async () => {
    const { bzImage } = await labKernel();
    const result = await runInGuest({
      kernel: bzImage,
      init: 'systemd',
      command: ['sh', '-c', 'ps -p 1 -o comm=; systemctl is-active basic.target; exit 5'],
      timeoutMs: 240_000,
    });
    expect(result.output).toBe('systemd\nactive\n');
    expect(result.code).toBe(5);
  });

  test('is stopped after its timeout, and the error has the output', async () => {
    const { bzImage } = await labKernel();
    const running = runInGuest({
      kernel: bzImage,
      command: ['sh', '-c', 'echo here; sleep 1000'],
      timeoutMs: 30_000,
    });
    const error = await running.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GuestError);
    expect((error as GuestError).output).toContain('here');
    expect((error as GuestError).message).toContain('30000 ms');
  });
});
