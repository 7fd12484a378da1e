// A part of the benchmarks that runs in the guest: `inside DIRECTORY [quick]`. Leaves its outcome in the directory.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DevmemBackend } from '../../src/backend/devmem.js';
import { parseIomem } from '../../src/kernel/memory/iomem.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../../src/kernel/kernel.js';
import { checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import type { Course } from './bench.js';
import type { Figure } from './figure.js';
import { findFigures, type Finder } from './find.js';
import { Floor } from './floor.js';
import { OUTCOME } from './guest.js';
import { paperWay } from './paper-way.js';
import { RealSessions } from './real-sessions.js';
import { switchFigures, type Ground } from './switch.js';

const [output = 'out', quick] = process.argv.slice(2);
const vmlinux = process.env.LAB_VMLINUX ?? '';
const startMs = Date.now();
const course: Course = {
  quick: quick !== undefined,
  rounds: quick === undefined ? 9 : 3,
  roundMs: quick === undefined ? 300 : 50,
  warmMs: quick === undefined ? 5000 : 0,
  output,
  say: (text) =>
    process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1)} s in the guest: ${text}\n`),
};
const SESSIONS = course.quick ? 10 : 100;
/** What a look costs whatever it finds is shared by more of them. */
const MANY_SESSIONS = course.quick ? 20 : 400;

const cleanup = new Cleanup();
cleanup.onSignals();
try {
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
  for (const count of [1, SESSIONS]) {
    await connect(count);
    for (const access of ['mapped', 'bytes'] as const) {
      course.say(`${count} sessions, ${access}: a switch`);
      const paper = await paperWay(ground('bytes'));
      const ip = await sessions.ipRival();
      figures.push(...(await switchFigures(course, ground(access), [ip, paper.rival])));
      await paper.stop();
      await ip.stop();
    }
  }
  for (const count of [SESSIONS, MANY_SESSIONS]) {
    if (count > connected) await connect(count);
    for (const access of ['mapped', 'bytes'] as const) {
      course.say(`${count} sessions, ${access}: a look`);
      const drgn = drgnFinder(end, pid);
      const others = access === 'mapped' ? [drgn.finder] : [];
      figures.push(...(await findFigures(course, ground(access), others)).figures);
      await drgn.stop();
    }
  }
  await writeFile(path.join(output, OUTCOME), JSON.stringify({ figures }));
} finally {
  await cleanup.run();
}

/** Every subflow is there. */
async function untilFound(pid: number, count: number): Promise<void> {
  const backend = new DevmemBackend(await openKernel());
  try {
    for (;;) {
      const { connections } = await backend.connections(pid);
      if (connections.length === count && connections.every(({ subflows }) => subflows.length === 3)) return;
      if (Date.now() - startMs > 600_000) throw new Error(`only ${connections.length} sessions are whole`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
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
