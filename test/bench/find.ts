import { closeSync, openSync, writeSync } from 'node:fs';
import { DevmemBackend } from '../../src/backend/devmem.js';
import { mptcpOf } from '../../src/kernel/walk/mptcp-implementations.js';
import { FdTableReader } from '../../src/kernel/walk/fd-table.js';
import { HOST_SOURCES, openKernel, type OpenKernel } from '../../src/kernel/kernel.js';
import { PID } from '../support/alice.js';
import { CrowdImage } from '../support/crowd-image.js';
import { LINUX_6_1 } from '../support/layouts.js';
import type { Bench, Course } from './bench.js';
import type { Figure, Growth } from './figure.js';
import { Floor } from './floor.js';
import { setLocations } from './locations.js';
import { ratios, spreadOf, takeTurns, timed, type Contestant } from './rounds.js';
import type { Ground } from './switch.js';

/** From this number of sessions on, the cost of each should not grow. */
const FLAT_FROM = 100;

/** How many times the C++ loop an observation may take if every counter changed. */
const BUSY_GOAL = 4;

export const findBench: Bench = {
  name: 'find',
  about:
    'an observation of a server with 10 to 10,000 sessions of 3 subflows, in an image of memory: against a C++ loop',
  needs: [],
  async run(course) {
    const figures: Figure[] = [];
    const growth: Growth[] = [];
    const perSession = new Map<number, readonly number[]>();
    const sizes = course.quick ? [10, 100, 1000] : [10, 100, 1000, 10_000];
    for (const sessions of sizes) {
      course.say(`${sessions} sessions`);
      const crowd = new CrowdImage(LINUX_6_1, sessions);
      try {
        const sources = crowd.image.sources();
        const end = crowd.image.options.size;
        const ground: Ground = {
          sources,
          layout: LINUX_6_1,
          access: 'mapped',
          end,
          pid: PID,
          where: 'image, mapped',
        };
        const { figures: found, ours, floor } = await findFigures(course, ground);
        figures.push(...found);
        perSession.set(sessions, ours);
        growth.push(
          { series: 'subflowd', sessions, nsPerSession: spreadOf(ours).median },
          { series: 'C++ loop', sessions, nsPerSession: spreadOf(floor).median },
        );
      } finally {
        crowd.image.remove();
      }
    }
    const [few = [], many = []] = [perSession.get(FLAT_FROM), perSession.get(sizes.at(-1) ?? 0)];
    figures.push({
      name: `a session of ${sizes.at(-1) ?? 0}`,
      against: `a session of ${FLAT_FROM}`,
      where: 'image, mapped',
      ratio: spreadOf(ratios(many, few)),
      goal: { is: 'at most', value: 1.3 },
      ours: spreadOf(many),
      theirs: spreadOf(few),
      unit: 'ns',
    });
    return { figures, growth };
  },
};

/** Raises the counters of all subflows in an image, as traffic would. */
class Traffic {
  readonly #file: number;
  readonly #addresses: readonly number[];
  readonly #bytes = Buffer.alloc(8);
  #count = 0n;

  constructor(kernel: OpenKernel, memory: string, pid: number) {
    const { space, layout, tasks } = kernel;
    const { offset } = layout.field('tcp_sock', 'bytes_acked');
    const { connections } = mptcpOf(kernel)
      .createWalk(pid)
      .connections(new FdTableReader(space, layout).read(tasks.find(pid)));
    this.#addresses = connections.flatMap(({ subflows }) =>
      subflows.map(({ socket }) => Number(space.toPhysical(socket)) + offset),
    );
    this.#file = openSync(memory, 'r+');
  }

  flow(): void {
    this.#bytes.writeBigUInt64LE(++this.#count);
    for (const address of this.#addresses) writeSync(this.#file, this.#bytes, 0, this.#bytes.length, address);
  }

  end(): void {
    closeSync(this.#file);
  }
}

/** The cost of an observation for each session: figures, and the nanoseconds in each round. */
export interface Found {
  readonly figures: readonly Figure[];
  readonly ours: readonly number[];
  readonly floor: readonly number[];
}

/** Another program that finds the same connections. Its first run may take long. */
export interface Finder {
  readonly against: string;
  readonly atLeast: number;
  readonly run: (kernel: OpenKernel) => Contestant;
}

/** Compares an observation by the public call with the loop in C++ and with other programs. */
export async function findFigures(
  course: Course,
  { sources, layout, access, end, pid, where }: Ground,
  others: readonly Finder[] = [],
): Promise<Found> {
  const kernel = await openKernel(sources, { access, layout });
  const backend = new DevmemBackend(kernel);
  const floor = Floor.start();
  try {
    await floor.ask('open', sources.memory, access, end);
    await setLocations(
      floor,
      kernel,
      new FdTableReader(kernel.space, kernel.layout).read(kernel.tasks.find(pid)),
    );
    const { connections } = await backend.connections(pid);
    const subflows = connections.reduce((sum, one) => sum + one.subflows.length, 0);
    const [, found] = (await floor.ask('walk', 1, access)).split(' ');
    if (Number(found) !== subflows)
      throw new Error(`the C++ program finds ${found ?? ''} subflows instead of ${subflows}`);
    const contestants: Record<string, Contestant> = {
      ours: (count) =>
        timed(async () => {
          for (let done = 0; done < count; done++) await backend.connections(pid);
        }),
      floor: (count) => floor.time('walk', count, access),
    };
    const traffic =
      sources.memory === HOST_SOURCES.memory ? undefined : new Traffic(kernel, sources.memory, pid);
    if (traffic) {
      contestants.busy = async (count) => {
        let ns = 0;
        for (let done = 0; done < count; done++) {
          traffic.flow();
          ns += await timed(async () => {
            await backend.connections(pid);
          });
        }
        return ns;
      };
    }
    if (traffic) {
      // with the same caches, which the traffic has changed
      contestants.busyFloor = async (count) => {
        let ns = 0;
        for (let done = 0; done < count; done++) {
          traffic.flow();
          ns += await floor.time('walk', 1, access);
        }
        return ns;
      };
    }
    for (const { against, run } of others) contestants[against] = run(kernel);
    const times = await takeTurns(contestants, course);
    const per = (name: string) => (times[name] ?? []).map((time) => time / connections.length);
    const [ours, least] = [per('ours'), per('floor')];
    traffic?.end();
    const common = {
      name: `a session of ${connections.length}`,
      where,
      ours: spreadOf(ours),
      unit: 'ns',
    } as const;
    const beside = (name: string, mine: readonly number[], floors = least, goal = 3): Figure => ({
      ...common,
      name,
      against: access === 'mapped' ? 'C++: the same pointers' : 'C++: one pread a structure',
      ratio: spreadOf(ratios(mine, floors)),
      goal: { is: 'at most', value: goal },
      ours: spreadOf(mine),
      theirs: spreadOf(floors),
    });
    return {
      ours,
      floor: least,
      figures: [
        beside(common.name, ours),
        ...(traffic
          ? [beside(`${common.name}, every counter changed`, per('busy'), per('busyFloor'), BUSY_GOAL)]
          : []),
        ...others.map(({ against, atLeast }): Figure => ({
          ...common,
          against,
          ratio: spreadOf(ratios(per(against), ours)),
          goal: { is: 'at least', value: atLeast },
          theirs: spreadOf(per(against)),
        })),
      ],
    };
  } finally {
    await floor.stop();
    await backend.close();
  }
}
