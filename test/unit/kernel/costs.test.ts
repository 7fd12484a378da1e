// What a look and a switch cost, counted: no clock tells a slow machine from a slow change.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import type { NativeMemory } from '../../../src/native/addon.js';
import { familyOf } from '../../../src/kernel/walk/families.js';
import { FdTables } from '../../../src/kernel/walk/files.js';
import { openKernel, type OpenKernel } from '../../../src/kernel/kernel.js';
import { PID } from '../../support/alice.js';
import { CrowdImage } from '../../support/crowd-image.js';
import { ALL_LAYOUTS, LINUX_6_1, WAYS } from '../../support/layouts.js';

// not timed: images of 40 MB take a busy machine its time
vi.setConfig({ testTimeout: 120_000 });

const NATIVE = ['gather', 'hold', 'follow', 'physical', 'readPhysical', 'commit'] as const;
/**
 * What a session of three subflows takes: pieces of memory that are read, and for all sessions together calls of the addon,
 * where all is as it was and where it is not. multipath-tcp.org has its mptcp_cb, two structures for each subflow, and older
 * kernels a dentry.
 */
const MOST = {
  upstream: { reads: 14.1, calls: 8, callsAnew: 18 },
  'multipath-tcp.org': { reads: 21.1, calls: 10, callsAnew: 25 },
} as const;
/** By how many more pages the array of 1,000 files has than that of 100; each is found, and read. */
const ARRAY_PAGES = 2;

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const step of cleanup.splice(0).reverse()) step();
  vi.restoreAllMocks();
});

async function open(crowd: CrowdImage, access: 'mapped' | 'bytes') {
  cleanup.push(() => {
    crowd.image.remove();
  });
  const { layout } = crowd.image;
  const kernel: OpenKernel = await openKernel(crowd.image.sources(), { access, layout });
  cleanup.push(() => {
    kernel.memory.close();
  });
  return { kernel, backend: new DevmemBackend(kernel), count: counter(kernel.memory) };
}

/** Counts what is asked of the addon, and what it reads. */
function counter(memory: NativeMemory) {
  const spies = NATIVE.map((name) => vi.spyOn(memory, name));
  return async (work: () => Promise<unknown>) => {
    const reads = memory.reads;
    for (const spy of spies) spy.mockClear();
    await work();
    return {
      calls: spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0),
      reads: memory.reads - reads,
    };
  };
}

describe.each(ALL_LAYOUTS)('%s: a look at a server', (_, layout) => {
  it('reads as much of each of 1,000 sessions as of each of 100', async () => {
    const costs = [];
    const most = MOST[layout.has('mptcp_sock', 'conn_list') ? 'upstream' : 'multipath-tcp.org'];
    for (const sessions of [100, 1000]) {
      const { backend, count } = await open(new CrowdImage(layout, sessions), 'mapped');
      await backend.connections(PID);
      costs.push(
        await count(async () => {
          expect((await backend.connections(PID)).connections).toHaveLength(sessions);
        }),
      );
    }
    const [few, many] = costs;
    if (!few || !many) throw new Error('two were counted');
    expect(many.reads / 1000).toBeLessThanOrEqual(most.reads);
    expect(many.reads / 1000).toBeLessThanOrEqual(1.3 * (few.reads / 100));
    // a pass over all sessions is one call
    expect(few.calls).toBeLessThanOrEqual(most.calls);
    expect(many.calls - few.calls).toBeLessThanOrEqual(2 * ARRAY_PAGES);
  });

  it('takes few calls too where one connection changed', async () => {
    const crowd = new CrowdImage(layout, 50);
    const { backend, count } = await open(crowd, 'mapped');
    const { callsAnew } = MOST[layout.has('mptcp_sock', 'conn_list') ? 'upstream' : 'multipath-tcp.org'];
    const [name] = crowd.names;
    if (!name) throw new Error('there are 50 sessions');
    await backend.connections(PID);
    await backend.setPriority(name, 'backup');
    const { calls } = await count(async () => {
      const [first] = (await backend.connections(PID)).connections;
      expect(first?.subflows.map(({ ours }) => ours)).toEqual(['active', 'backup', 'active']);
    });
    expect(calls).toBeLessThanOrEqual(callsAnew);
  });
});

describe.each(WAYS)('$kernel, $access: a switch of a known session', ({ layout, access }) => {
  it('asks the addon once, whatever was looked at since', async () => {
    const crowd = new CrowdImage(layout, 50);
    const { backend, count } = await open(crowd, access);
    const name = crowd.names[25];
    if (!name) throw new Error('there are 50 sessions');
    await backend.connections(PID);
    await backend.setPriority(name, 'backup');
    await backend.connections(PID);
    const cost = await count(async () => {
      expect((await backend.setPriority(name, 'active')).outcome).toBe('committed');
    });
    expect(cost.calls).toBe(1);
  });
});

describe('Linux 6.1, bytes: a switch of a known session', () => {
  it('takes at most twice the system calls that read the same pages', async () => {
    const crowd = new CrowdImage(LINUX_6_1, 50);
    const { kernel, backend, count } = await open(crowd, 'bytes');
    const [name] = crowd.names;
    const files = new FdTables(kernel.space, kernel.layout).of(kernel.tasks.find(PID));
    const family = familyOf(kernel);
    const [located] = family.walk(PID).connections(files).connections;
    const target = located?.subflows[1];
    if (!name || !located || !target) throw new Error('there are 50 sessions');
    const words = family.trail(PID, files, target.place)?.words(0n).subarray(2) ?? new BigUint64Array();
    const pages = new Set(words.filter((_, at) => at % 3 === 0).map((address) => address / 4096n)).size;
    expect(pages).toBeGreaterThan(1);
    await backend.connections(PID);
    await backend.setPriority(name, 'backup');
    const { reads } = await count(() => backend.setPriority(name, 'active'));
    expect(reads).toBeLessThanOrEqual(2 * pages);
  });
});
