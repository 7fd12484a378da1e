// The part of the benchmarks that measures a switch and an observation in a guest: `inside DIRECTORY [quick]`.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DevmemBackend } from '../../src/backend/devmem.js';
import { parseIomem } from '../../src/kernel/memory/iomem.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../../src/kernel/kernel.js';
import { checkout } from '../lab/checkout.js';
import { type Cleanup, withCleanup } from '../lab/cleanup.js';
import { until } from '../support/until.js';
import type { Course } from './bench.js';
import type { Figure, Outcome } from './figure.js';
import { findFigures, type Finder } from './find.js';
import { Floor } from './floor.js';
import { runInGuestScript } from './in-guest.js';
import { paperWalk } from './paper-walk.js';
import { RealSessions } from './real-sessions.js';
import { switchFigures, type Ground } from './switch.js';

const vmlinux = process.env.LAB_VMLINUX ?? '';
const PATIENCE_MS = 600_000;

await runInGuestScript((course) => withCleanup((cleanup) => measure(course, cleanup)));

async function measure(course: Course, cleanup: Cleanup): Promise<Outcome> {
  const some = course.quick ? 10 : 100;
  // With more sessions, the fixed cost of an observation has a smaller share.
  const many = course.quick ? 20 : 400;
  const { systemRam } = parseIomem(await readFile(HOST_SOURCES.iomem, 'utf8'));
  const end = systemRam.reduce((most, range) => (range.end > most ? range.end : most), 0n);
  const figures: Figure[] = [];
  const sessions = await RealSessions.open(cleanup);
  const { pid } = sessions;
  const ground = (access: Ground['access']): Ground => ({
    ...{ sources: HOST_SOURCES, layout: 'btf', access, end, pid, where: `guest, ${access}` },
  });
  let connected = 0;
  const connect = async (count: number) => {
    course.say(`connecting ${count} sessions of 3 subflows`);
    await sessions.add(count - connected);
    connected = count;
    await untilFound(pid, count);
  };
  for (const count of [1, some]) {
    await connect(count);
    for (const access of ['mapped', 'bytes'] as const) {
      course.say(`${count} sessions, ${access}: a switch`);
      const paper = await paperWalk(ground('bytes'));
      const ip = await sessions.ipRival();
      figures.push(...(await switchFigures(course, ground(access), [ip, paper.rival])));
      await paper.stop();
      await ip.stop();
    }
  }
  for (const count of [some, many]) {
    if (count > connected) await connect(count);
    for (const access of ['mapped', 'bytes'] as const) {
      course.say(`${count} sessions, ${access}: an observation`);
      const drgn = drgnFinder(end, pid);
      const others = access === 'mapped' ? [drgn.finder] : [];
      figures.push(...(await findFigures(course, ground(access), others)).figures);
      await drgn.stop();
    }
  }
  return { figures };
}

/** Waits until each of `count` sessions has three subflows. */
async function untilFound(pid: number, count: number): Promise<void> {
  const backend = new DevmemBackend(await openKernel());
  try {
    await until(
      'three subflows of each session',
      async () => {
        const { connections } = await backend.connections(pid);
        return connections.length === count && connections.every(({ subflows }) => subflows.length === 3);
      },
      PATIENCE_MS,
      500,
    );
  } finally {
    await backend.close();
  }
}

function drgnFinder(end: bigint, pid: number): { finder: Finder; stop: () => Promise<void> } {
  const script = path.join(checkout, 'test/bench/drgn-walk.py');
  const drgn = Floor.start({ command: ['/usr/bin/python3', script] });
  const open = async ({ space, tasks }: OpenKernel) => {
    const { text, directMap } = space;
    await drgn.ask(
      ...(['open', HOST_SOURCES.memory, vmlinux, tasks.find(pid), directMap.base, text] as const),
      ...([space.toPhysical(text) ?? 0n, end] as const),
    );
  };
  return {
    finder: {
      against: 'drgn',
      atLeast: 100,
      run: (kernel) => {
        let opened: Promise<void> | undefined;
        return async (count) => {
          await (opened ??= open(kernel));
          return drgn.time('walk', count);
        };
      },
    },
    stop: () => drgn.stop(),
  };
}
