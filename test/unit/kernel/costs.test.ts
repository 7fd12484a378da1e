// Counts what an observation and a commit cost. A clock could not distinguish a slow machine from slow code.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { openKernel, type OpenKernel } from '../../../src/kernel/kernel.js';
import type { Layout } from '../../../src/kernel/layout/layout.js';
import { FdTableReader } from '../../../src/kernel/walk/fd-table.js';
import { mptcpOf } from '../../../src/kernel/walk/mptcp-implementations.js';
import type { NativeMemory } from '../../../src/native/addon.js';
import { PID } from '../../support/alice.js';
import { CrowdImage } from '../../support/crowd-image.js';
import { ALL_LAYOUTS, LINUX_6_1, SAFE_ACCESSES } from '../../support/layouts.js';
import { setPriority } from '../../support/set-priority.js';

// nothing is timed, but a busy machine needs long for images of 40 MB
vi.setConfig({ testTimeout: 120_000 });

/** The native functions whose calls are counted. */
const NATIVE_FUNCTIONS = [
  'gather',
  'isUnchanged',
  'walkList',
  'toPhysical',
  'readPhysical',
  'commit',
  'commitAll',
] as const;
/**
 * The highest costs that pass, by implementation of MPTCP:
 * - `reads`: for each session of three subflows.
 * - `calls`: native calls for all sessions together, if nothing changed.
 * - `callsAfterChange`: the same if something changed.
 *
 * multipath-tcp.org also has a mptcp_cb, two structures for each subflow, and on older kernels a dentry.
 */
const LIMITS = {
  upstream: { reads: 14.1, calls: 8, callsAfterChange: 18 },
  'multipath-tcp.org': { reads: 21.1, calls: 10, callsAfterChange: 25 },
} as const;
/** The array of 1,000 files has two pages more than that of 100. Each takes one translation and one read. */
const ARRAY_PAGES = 2;

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const step of cleanup.splice(0).reverse()) step();
  vi.restoreAllMocks();
});

function limitsOf(layout: Layout): (typeof LIMITS)[keyof typeof LIMITS] {
  return LIMITS[layout.has('mptcp_sock', 'conn_list') ? 'upstream' : 'multipath-tcp.org'];
}

/** Opens the backend on an image. `count` counts the costs of some work. */
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

/** Makes a function that counts the native calls and the reads of some work. */
function counter(memory: NativeMemory) {
  const spies = NATIVE_FUNCTIONS.map((name) => vi.spyOn(memory, name));
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

describe.each(ALL_LAYOUTS)('%s: an observation of a server', (_, layout) => {
  it('reads as much for each of 1,000 sessions as for each of 100', async () => {
    const costs = [];
    const limits = limitsOf(layout);
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
    expect(many.reads / 1000).toBeLessThanOrEqual(limits.reads);
    expect(many.reads / 1000).toBeLessThanOrEqual(1.3 * (few.reads / 100));
    // each call reads one step of the walk for all sessions
    expect(few.calls).toBeLessThanOrEqual(limits.calls);
    expect(many.calls - few.calls).toBeLessThanOrEqual(2 * ARRAY_PAGES);
  });

  it('takes few calls also if one connection changed', async () => {
    const crowd = new CrowdImage(layout, 50);
    const { backend, count } = await open(crowd, 'mapped');
    const [name] = crowd.names;
    if (!name) throw new Error('there are 50 sessions');
    await backend.connections(PID);
    await setPriority(backend, name, 'backup');
    const { calls } = await count(async () => {
      const [first] = (await backend.connections(PID)).connections;
      expect(first?.subflows.map(({ ours }) => ours)).toEqual(['active', 'backup', 'active']);
    });
    expect(calls).toBeLessThanOrEqual(limitsOf(layout).callsAfterChange);
  });
});

describe.each(SAFE_ACCESSES)('$kernel, $access: a second commit to a subflow', ({ layout, access }) => {
  it('takes one native call, also after another observation', async () => {
    const crowd = new CrowdImage(layout, 50);
    const { backend, count } = await open(crowd, access);
    const name = crowd.names[25];
    if (!name) throw new Error('there are 50 sessions');
    await backend.connections(PID);
    await setPriority(backend, name, 'backup');
    await backend.connections(PID);
    const cost = await count(async () => {
      expect((await setPriority(backend, name, 'active')).outcome).toBe('committed');
    });
    expect(cost.calls).toBe(1);
  });
});

describe.each(SAFE_ACCESSES)('$kernel, $access: a round of switches', ({ layout, access }) => {
  it('takes one native call, whether it switches 1 session or 50', async () => {
    const crowd = new CrowdImage(layout, 50);
    const { backend, count } = await open(crowd, access);
    const { connections } = await backend.connections(PID);
    const requests = (to: number, from: number) =>
      connections.flatMap(({ remote: connection, subflows }) =>
        [to, from].map((at, index) => {
          const { local, remote } = subflows[at] ?? { local: connection, remote: connection };
          const name = { pid: PID, connection, local, remote };
          return { name, priority: index === 0 ? ('active' as const) : ('backup' as const) };
        }),
      );
    await backend.setPriorities(requests(2, 1));
    for (const round of [requests(1, 2), requests(2, 1).slice(0, 2)]) {
      const { calls } = await count(async () => {
        for (const { outcome } of await backend.setPriorities(round))
          expect(['committed', 'unchanged']).toContain(outcome);
      });
      expect(calls).toBe(1);
    }
    const [first] = (await backend.connections(PID)).connections;
    expect(first?.subflows.map(({ ours }) => ours)).toEqual(['active', 'backup', 'active']);
  });
});

describe('a round of switches in which every subflow has gone', () => {
  it('observes the server once again', async () => {
    const crowd = new CrowdImage(LINUX_6_1, 50);
    const { backend, count } = await open(crowd, 'mapped');
    const { connections } = await backend.connections(PID);
    const observation = await count(() => backend.connections(PID));
    const requests = connections.map(({ remote: connection, subflows: [first] }) => {
      const remote = { address: '192.0.2.1', port: 1 };
      const name = { pid: PID, connection, local: first?.local ?? connection, remote };
      return { name, priority: 'active' as const };
    });
    const { calls } = await count(async () => {
      for (const { outcome } of await backend.setPriorities(requests)) expect(outcome).toBe('gone');
    });
    expect(calls).toBeLessThanOrEqual(observation.calls);
  });
});

describe('Linux 6.1, bytes: a second commit to a subflow', () => {
  it('takes at most two system calls for each page that it reads', async () => {
    const crowd = new CrowdImage(LINUX_6_1, 50);
    const { kernel, backend, count } = await open(crowd, 'bytes');
    const [name] = crowd.names;
    const files = new FdTableReader(kernel.space, kernel.layout).read(kernel.tasks.find(PID));
    const mptcp = mptcpOf(kernel);
    const [located] = mptcp.createWalk(PID).connections(files).connections;
    const target = located?.subflows[1];
    if (!name || !located || !target) throw new Error('there are 50 sessions');
    const words = mptcp.trail(PID, files, target)?.words(0n).subarray(2) ?? new BigUint64Array();
    const pages = new Set(words.filter((_, at) => at % 3 === 0).map((address) => address / 4096n)).size;
    expect(pages).toBeGreaterThan(1);
    await backend.connections(PID);
    await setPriority(backend, name, 'backup');
    const { reads } = await count(() => setPriority(backend, name, 'active'));
    expect(reads).toBeLessThanOrEqual(2 * pages);
  });
});
