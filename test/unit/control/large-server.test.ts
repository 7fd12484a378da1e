import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Backend } from '../../../src/backend/backend.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { Controller } from '../../../src/control/controller.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import { ensureEventsDirectory } from '../../../src/openvpn/records/events-directory.js';
import { Servers } from '../../../src/openvpn/servers.js';
import { MAX_SESSIONS } from '../../../src/openvpn/management/status.js';
import { ALICE, PID } from '../../support/alice.js';
import { configOf } from '../../support/config.js';
import { clientList } from '../../support/client-list.js';
import { FakeOpenvpn } from '../../support/fake-openvpn.js';
import { KernelImage } from '../../support/kernel-image.js';
import { LINUX_6_1 } from '../../support/layouts.js';
import { until } from '../../support/until.js';

// Each wait has a time limit of its own, which is shorter.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** The process of the server that is `large`. The one of `lab` is PID, where alice is connected. */
const LARGE_PID = 100;

let directory: string;
let fakes: FakeOpenvpn[];
let image: KernelImage;
let backend: Backend;
let servers: Servers;
let controller: Controller;
let problems: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-large-'));
  ensureEventsDirectory(join(directory, 'events'));
  fakes = [];
  problems = [];
  image = new KernelImage(LINUX_6_1);
  image.task(PID, [image.socket(ALICE).file]);
  backend = new DevmemBackend(await openKernel(image.sources(), { layout: LINUX_6_1 }));
});
afterEach(async () => {
  servers.stop();
  await controller.stop();
  await backend.close();
  image.remove();
  for (const fake of fakes) fake.close();
  rmSync(directory, { recursive: true });
});

/**
 * Makes a server listen on its management interface.
 * @param clients as {@link clientList} takes them.
 * @param more lines that it sends after each list.
 */
async function listen(
  name: string,
  pid: number,
  clients: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  const fake = await FakeOpenvpn.listen(join(directory, name));
  fake.process.pid = pid;
  fake.status = [...clientList(clients), ...more];
  fakes.push(fake);
}

/** Starts subflowd for both servers. */
function start(): void {
  servers = new Servers(
    ['large', 'lab'].map((name) => ({
      name,
      events: join(directory, 'events'),
      management: { socket: join(directory, name) },
    })),
    { server: { probe: () => ({ is: 'openvpn', euid: 0 }) } },
  );
  controller = new Controller({
    backend,
    sessions: () => servers.sessions(),
    sessionsWithoutPort: () => servers.sessionsWithoutPort(),
    config: () => configOf(['lte', 'wifi']),
    overrides: () => new Map(),
  });
  servers
    .on('problem', (text) => problems.push(text))
    .on('change', () => {
      void controller.refresh();
    });
  controller.on('problem', (text) => problems.push(text));
  servers.start();
  controller.start();
}

async function untilAliceIsSteered(): Promise<void> {
  await until(`alice is on lte: ${problems.slice(0, 5).join('\n')}`, async () => {
    const { connections } = await backend.connections(PID);
    return connections[0]?.subflows.every(
      ({ remote, ours }) => ours === (remote.address === '192.168.200.2' ? 'active' : 'backup'),
    );
  });
}

const manyV4 = Array.from(
  { length: 150_000 },
  (_, n) => `c${n} 10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:9 ${n}`,
);
const manyV6 = Array.from({ length: 150_000 }, (_, n) => `c${n} fd00::${n.toString(16)} ${n}`); // prettier-ignore

describe('a server that lists 150,000 sessions', () => {
  it.each([
    ['', manyV4],
    [' without their ports', manyV6],
  ])('does not delay other servers%s, and has as many sessions as are tracked', async (_what, rows) => {
    await listen('large', LARGE_PID, rows);
    await listen('lab', PID, ['alice 192.168.100.2:38456 7']);
    start();
    await until(
      'it is listed',
      () => servers.sessions().length + servers.sessionsWithoutPort().length > MAX_SESSIONS,
    );
    await untilAliceIsSteered();
    expect(servers.sessions().length + servers.sessionsWithoutPort().length).toBe(MAX_SESSIONS + 1);
    expect(problems.filter((text) => text.includes('has more than'))).toEqual([
      expect.stringMatching(/^OpenVPN large has more than 16384 clients: the others are neither shown/),
    ]);
    expect(problems.filter((text) => /round failed|call stack/.test(text))).toEqual([]);
    expect(problems.length).toBeLessThan(200);
  });

  it('does not delay other servers either if it reports more sessions as they connect', async () => {
    const messages = [1, 2, 3].flatMap((n) => [
      `>CLIENT:ESTABLISHED,${900_000 + n}`,
      `>CLIENT:ENV,common_name=late${n}`,
      `>CLIENT:ENV,daemon_pid=${LARGE_PID}`,
      '>CLIENT:ENV,trusted_ip=192.0.2.1',
      `>CLIENT:ENV,trusted_port=${n}`,
      '>CLIENT:ENV,END',
    ]);
    await listen('large', LARGE_PID, manyV4.slice(0, MAX_SESSIONS), messages);
    await listen('lab', PID, ['alice 192.168.100.2:38456 7']);
    start();
    await until('it is reported', () => problems.some((text) => text.includes('has more than')));
    await untilAliceIsSteered();
    await until('no others are tracked', () => servers.sessions().length === MAX_SESSIONS + 1);
  });
});

describe('a fault of subflowd while it handles one server', () => {
  it('is reported for this server, and the other one is steered', async () => {
    await listen('large', LARGE_PID, ['bob 192.0.2.1:1 1']);
    await listen('lab', PID, ['alice 192.168.100.2:38456 7']);
    start();
    servers.servers()[0]?.management?.on('status', () => {
      throw new RangeError('Maximum call stack size exceeded');
    });
    await until('it is reported', () => problems.some((text) => text.includes('a fault of subflowd')));
    await untilAliceIsSteered();
  });
});
