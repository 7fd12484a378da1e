// A look after another: what is as it was is told as it was, and what is not is not.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SubflowName } from '../../../src/model/subflow.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { Column } from '../../../src/kernel/memory/column.js';
import { familyOf } from '../../../src/kernel/walk/families.js';
import type { Walk } from '../../../src/kernel/walk/family.js';
import { FdTables, type OpenFiles } from '../../../src/kernel/walk/files.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import { Layout } from '../../../src/kernel/layout/layout.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage, type ImageSocket } from '../../support/kernel-image.js';
import { ALL_LAYOUTS, LINUX_6_1 } from '../../support/layouts.js';

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

async function lookable(layout: Layout): Promise<void> {
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

async function look() {
  const { connections } = await backend.connections(PID);
  return connections;
}

/** What the kernel does between two looks. */
function kernelDoes(change: () => void): void {
  image.adopt();
  change();
  image.write();
}

describe.each(ALL_LAYOUTS)('%s', (_, layout) => {
  beforeEach(() => lookable(layout));

  it('tells the same objects where nothing changed', async () => {
    const [before, after] = [await look(), await look()];
    expect(before).toHaveLength(2);
    for (const [index, connection] of after.entries()) expect(connection).toBe(before[index]);
  });

  it('leads back from the remote ends that it told, also when counters went on', async () => {
    const kernel = await openKernel(image.sources(), { access: 'mapped', layout });
    const walk = familyOf(kernel).walk(PID);
    const told = () => walk.connections(new FdTables(kernel.space, layout).of(kernel.tasks.find(PID)));
    const [before] = told().connections;
    kernelDoes(() => {
      image.place(bob.socks[0] as bigint, 'tcp_sock', 'srtt_us', 800n);
    });
    for (const { subflows } of [before, ...told().connections].flatMap((one) => one ?? [])) {
      for (const { subflow, place } of subflows) expect(walk.placeAt(subflow.remote)).toBe(place);
    }
    const remote = before?.subflows[0]?.subflow.remote ?? WIFI;
    expect(walk.placeAt({ ...remote })).toBeUndefined();
    walk.forget(remote);
    expect(walk.placeAt(remote)).toBeUndefined();
    kernel.memory.close();
  });

  it('finds what left a list while it looked, whenever that was', async () => {
    const kernel = await openKernel(image.sources(), { access: 'mapped', layout });
    const { memory } = kernel;
    const tables = new FdTables(kernel.space, layout);
    const told = (walk: Walk, last?: OpenFiles) => {
      const files = tables.of(kernel.tasks.find(PID), last);
      return { files, ...walk.connections(files) };
    };
    const whole = told(familyOf(kernel).walk(PID));
    const [first, second] = whole.connections[0]?.subflows.map(({ place }) => place) ?? [];
    if (!first || !second) throw new Error('Bob has two subflows');
    let seen = 0;
    for (let at = 1, calls = at; calls >= at; at++) {
      const walk = familyOf(kernel).walk(PID);
      calls = 0;
      const counted = vi
        .spyOn(kernel.space, 'gather')
        .mockImplementation((addresses, shape, into, beside) => {
          const column = (into ?? new Column(shape)).read(memory, addresses, beside);
          if (++calls === at) {
            kernelDoes(() => {
              image.setWord(first.link, second.node);
            });
          }
          return column;
        });
      const during = told(walk);
      counted.mockRestore();
      const { connections } = told(walk, during.files);
      const anew = told(familyOf(kernel).walk(PID));
      expect(connections).toEqual(anew.connections);
      if (connections[0]?.subflows.length !== during.connections[0]?.subflows.length) seen++;
      kernelDoes(() => {
        image.setWord(first.link, first.node);
      });
    }
    // not only before or after all that was looked at
    expect(seen).toBeGreaterThan(2);
    memory.close();
  });

  it('tells anew what changed, and nothing else', async () => {
    const before = await look();
    kernelDoes(() => {
      image.ends(alice.socks[1] as bigint, { local: SERVER, remote: { ...LTE, port: 99 } });
    });
    const after = await look();
    expect(after[0]).toBe(before[0]);
    expect(after[1]?.subflows[0]).toBe(before[1]?.subflows[0]);
    expect(after[1]?.subflows[1]).toEqual({ ...before[1]?.subflows[1], remote: { ...LTE, port: 99 } });
    expect((await backend.setPriority(ALICE_ON_LTE, 'backup')).outcome).toBe('gone');
  });

  it('finds whoever is left when another is gone, and commits to nobody else', async () => {
    const [first, before] = await look();
    kernelDoes(() => {
      image.setWord(files, 0n);
    });
    expect(await look()).toEqual([before]);
    expect((await backend.setPriority(ALICE_ON_LTE, 'backup')).outcome).toBe('committed');
    const gone = { ...ALICE_ON_LTE, connection: first?.remote ?? WIFI, remote: { ...LTE, port: 2000 } };
    expect((await backend.setPriority(gone, 'backup')).outcome).toBe('gone');
    expect((await look())[0]?.subflows.map(({ ours }) => ours)).toEqual(['active', 'backup']);
  });
});

it('tells counters as they go on', async () => {
  await lookable(LINUX_6_1);
  const before = await look();
  kernelDoes(() => {
    image.place(alice.socks[0] as bigint, 'tcp_sock', 'bytes_acked', 5_000_000_000n);
  });
  const after = await look();
  expect(after[0]).toBe(before[0]);
  expect(after[1]?.subflows[0]).toEqual({ ...before[1]?.subflows[0], bytesAcked: 5_000_000_000 });
  expect(after[1]?.subflows[1]).toBe(before[1]?.subflows[1]);
});

describe('where our wish is written over the client’s', () => {
  const { mptcp_subflow_request_sock: newer, ...bits } = LINUX_6_1.data.bits;

  beforeEach(async () => {
    expect(newer).toBeDefined();
    await lookable(new Layout({ ...LINUX_6_1.data, bits }));
    kernelDoes(() => {
      image.place(alice.contexts[1] as bigint, 'mptcp_subflow_context', 'backup', 1n);
    });
    await look();
    expect((await backend.setPriority(ALICE_ON_LTE, 'backup')).outcome).toBe('committed');
  });

  const ofAlice = async () =>
    (await look()).find(({ remote }) => remote.port === WIFI.port)?.subflows[1]?.peers;

  it('knows the client’s from before, also when others come and go', async () => {
    expect(await ofAlice()).toBe('backup');
    kernelDoes(() => {
      image.setWord(files, 0n);
    });
    expect(await ofAlice()).toBe('backup');
  });

  it('forgets it with the server, and with no other', async () => {
    backend.attend([PID, 1]);
    expect(await ofAlice()).toBe('backup');
    backend.attend([1]);
    // as after a restart
    expect(await ofAlice()).toBe('active');
  });
});
