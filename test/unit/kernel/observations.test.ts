// Repeated observations: what did not change is the same object, and what changed is reported.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SubflowName } from '../../../src/model/subflow.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { FieldTable } from '../../../src/kernel/memory/field-table.js';
import { mptcpOf } from '../../../src/kernel/walk/mptcp-implementations.js';
import type { Walk } from '../../../src/kernel/walk/mptcp-implementation.js';
import { FdTableReader, type OpenFiles } from '../../../src/kernel/walk/fd-table.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import { Layout } from '../../../src/kernel/layout/layout.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage } from '../../support/kernel-image.js';
import type { ImageSocket } from '../../support/kernel-image-types.js';
import { ALL_LAYOUTS, LINUX_6_1 } from '../../support/layouts.js';
import { setPriority } from '../../support/set-priority.js';

const BOB: ImageSocket = {
  ...ALICE,
  remote: { ...WIFI, port: 2000 },
  token: 7,
  subflows: [
    { local: SERVER, remote: { ...WIFI, port: 2000 } },
    { local: SERVER, remote: { ...LTE, port: 2000 } },
  ],
};
const ALICE_ON_LTE: SubflowName = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };

let image: KernelImage;
let backend: DevmemBackend;
let files: bigint;
let alice: ReturnType<KernelImage['socket']>;
let bob: ReturnType<KernelImage['socket']>;

async function openImage(layout: Layout): Promise<void> {
  image = new KernelImage(layout);
  bob = image.socket(BOB);
  alice = image.socket(ALICE);
  files = image.task(PID, [bob.file, alice.file]);
  backend = new DevmemBackend(await openKernel(image.sources(), { access: 'mapped', layout }));
}
afterEach(async () => {
  await backend.close();
  image.remove();
});

async function observe() {
  const { connections } = await backend.connections(PID);
  return connections;
}

/** Changes memory as the kernel does between two observations. */
function kernelDoes(change: () => void): void {
  image.load();
  change();
  image.write();
}

describe.each(ALL_LAYOUTS)('%s', (_, layout) => {
  beforeEach(() => openImage(layout));

  it('reports the same objects if nothing changed', async () => {
    const [before, after] = [await observe(), await observe()];
    expect(before).toHaveLength(2);
    for (const [index, connection] of after.entries()) expect(connection).toBe(before[index]);
  });

  it('finds a subflow by the remote endpoint that it reported, also after counters changed', async () => {
    const kernel = await openKernel(image.sources(), { access: 'mapped', layout });
    const walk = mptcpOf(kernel).createWalk(PID);
    const walkOnce = () =>
      walk.connections(new FdTableReader(kernel.space, layout).read(kernel.tasks.find(PID)));
    const [before] = walkOnce().connections;
    kernelDoes(() => {
      image.place(bob.socks[0] as bigint, 'tcp_sock', 'srtt_us', 800n);
    });
    for (const { subflows } of [before, ...walkOnce().connections].flatMap((one) => one ?? [])) {
      for (const located of subflows) expect(walk.findByRemote(located.subflow.remote)).toBe(located);
    }
    const remote = before?.subflows[0]?.subflow.remote ?? WIFI;
    expect(walk.findByRemote({ ...remote })).toBeUndefined();
    walk.forgetRemote(remote);
    expect(walk.findByRemote(remote)).toBeUndefined();
    kernel.memory.close();
  });

  it('notices at the next observation that a subflow left its list during the walk', async () => {
    const kernel = await openKernel(image.sources(), { access: 'mapped', layout });
    const { memory } = kernel;
    const tables = new FdTableReader(kernel.space, layout);
    const walkOnce = (walk: Walk, last?: OpenFiles) => {
      const files = tables.read(kernel.tasks.find(PID), last);
      return { files, ...walk.connections(files) };
    };
    const whole = walkOnce(mptcpOf(kernel).createWalk(PID));
    const [first, second] = whole.connections[0]?.subflows ?? [];
    if (!first || !second) throw new Error('Bob has two subflows');
    let seen = 0;
    for (let at = 1, calls = at; calls >= at; at++) {
      const walk = mptcpOf(kernel).createWalk(PID);
      calls = 0;
      const counted = vi
        .spyOn(kernel.space, 'gather')
        .mockImplementation((addresses, selection, into, beside) => {
          const table = (into ?? new FieldTable(selection)).read(memory, addresses, beside);
          if (++calls === at) {
            kernelDoes(() => {
              image.setWord(first.link, second.node);
            });
          }
          return table;
        });
      const during = walkOnce(walk);
      counted.mockRestore();
      const { connections } = walkOnce(walk, during.files);
      const anew = walkOnce(mptcpOf(kernel).createWalk(PID));
      expect(connections).toEqual(anew.connections);
      if (connections[0]?.subflows.length !== during.connections[0]?.subflows.length) seen++;
      kernelDoes(() => {
        image.setWord(first.link, first.node);
      });
    }
    // not only before or after the whole walk
    expect(seen).toBeGreaterThan(2);
    memory.close();
  });

  it('makes a new table of guards when most of a full one is unused', async () => {
    const kernel = await openKernel(image.sources(), { access: 'mapped', layout });
    const mptcp = mptcpOf(kernel);
    const walk = mptcp.createWalk(PID);
    const open = new FdTableReader(kernel.space, layout).read(kernel.tasks.find(PID));
    const [first, second] = walk.connections(open).connections[0]?.subflows ?? [];
    const trail = first && mptcp.trail(PID, open, first);
    if (!first || !second || !trail) throw new Error('Bob has two subflows');
    const kept = walk.addGuards(second, trail, 1n);
    for (let round = 0; round < 1000; round++) {
      const { table, at, length } = walk.addGuards(first, trail, BigInt(round));
      expect(table.words.subarray(at, at + length)).toEqual(trail.words(BigInt(round)));
      expect(table.words.length).toBeLessThan(10 * length);
    }
    expect(second.guards).toBeUndefined();
    expect(kept.table.words.subarray(kept.at, kept.at + kept.length)).toEqual(trail.words(1n));
    kernel.memory.close();
  });

  it('reports new objects only for what changed', async () => {
    const before = await observe();
    kernelDoes(() => {
      image.setEndpoints(alice.socks[1] as bigint, { local: SERVER, remote: { ...LTE, port: 99 } });
    });
    const after = await observe();
    expect(after[0]).toBe(before[0]);
    expect(after[1]?.subflows[0]).toBe(before[1]?.subflows[0]);
    expect(after[1]?.subflows[1]).toEqual({ ...before[1]?.subflows[1], remote: { ...LTE, port: 99 } });
    expect((await setPriority(backend, ALICE_ON_LTE, 'backup')).outcome).toBe('gone');
  });

  it('finds the other connection after one closed, and commits to no other one', async () => {
    const [first, before] = await observe();
    kernelDoes(() => {
      image.setWord(files, 0n);
    });
    expect(await observe()).toEqual([before]);
    expect((await setPriority(backend, ALICE_ON_LTE, 'backup')).outcome).toBe('committed');
    const gone = { ...ALICE_ON_LTE, connection: first?.remote ?? WIFI, remote: { ...LTE, port: 2000 } };
    expect((await setPriority(backend, gone, 'backup')).outcome).toBe('gone');
    expect((await observe())[0]?.subflows.map(({ ours }) => ours)).toEqual(['active', 'backup']);
  });
});

it('reports counters that changed', async () => {
  await openImage(LINUX_6_1);
  const before = await observe();
  kernelDoes(() => {
    image.place(alice.socks[0] as bigint, 'tcp_sock', 'bytes_acked', 5_000_000_000n);
  });
  const after = await observe();
  expect(after[0]).toBe(before[0]);
  expect(after[1]?.subflows[0]).toEqual({ ...before[1]?.subflows[0], bytesAcked: 5_000_000_000 });
  expect(after[1]?.subflows[1]).toBe(before[1]?.subflows[1]);
});

describe('where our priority is written over the client’s', () => {
  const { mptcp_subflow_request_sock: newer, ...bits } = LINUX_6_1.data.bits;

  beforeEach(async () => {
    expect(newer).toBeDefined();
    await openImage(new Layout({ ...LINUX_6_1.data, bits }));
    kernelDoes(() => {
      image.place(alice.contexts[1] as bigint, 'mptcp_subflow_context', 'backup', 1n);
    });
    await observe();
    expect((await setPriority(backend, ALICE_ON_LTE, 'backup')).outcome).toBe('committed');
  });

  const ofAlice = async () =>
    (await observe()).find(({ remote }) => remote.port === WIFI.port)?.subflows[1]?.peers;

  it('remembers the client’s priority from before, also if other connections close', async () => {
    expect(await ofAlice()).toBe('backup');
    kernelDoes(() => {
      image.setWord(files, 0n);
    });
    expect(await ofAlice()).toBe('backup');
  });

  it('forgets it when its own server ends, and not when another one does', async () => {
    backend.trackServers([PID, 1]);
    expect(await ofAlice()).toBe('backup');
    backend.trackServers([1]);
    // the same as after a restart
    expect(await ofAlice()).toBe('active');
  });
});
