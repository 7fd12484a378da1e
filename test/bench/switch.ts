import path from 'node:path';
import type { SubflowName } from '../../src/model/subflow.js';
import { DevmemBackend } from '../../src/backend/devmem.js';
import { openKernel, type KernelSources, type OpenKernel } from '../../src/kernel/kernel.js';
import type { Layout } from '../../src/kernel/layout/layout.js';
import { PID } from '../support/alice.js';
import { CrowdImage } from '../support/crowd-image.js';
import { LINUX_6_1 } from '../support/layouts.js';
import type { Bench, Course } from './bench.js';
import type { Figure } from './figure.js';
import { Floor } from './floor.js';
import { paperWalk } from './paper-walk.js';
import { ratios, spreadOf, takeTurns, timed, type Contestant } from './rounds.js';
import { writeTrails } from './trails.js';

export const switchBench: Bench = {
  name: 'switch',
  about: 'one switch of a known session, in an image of memory: against the same loads and one atomic in C++',
  needs: [],
  async run(course) {
    const figures: Figure[] = [];
    for (const sessions of course.quick ? [1, 100] : [1, 1000, 10_000]) {
      const crowd = new CrowdImage(LINUX_6_1, sessions);
      try {
        const sources = crowd.image.sources();
        for (const access of ['mapped', 'bytes'] as const) {
          course.say(`${access}, ${sessions} sessions in turn`);
          const end = crowd.image.options.size;
          const ground = { sources, layout: LINUX_6_1, access, end, pid: PID, where: `image, ${access}` };
          const paper = await paperWalk(ground);
          figures.push(...(await switchFigures(course, ground, [paper.rival]).finally(paper.stop)));
        }
      } finally {
        crowd.image.remove();
      }
    }
    return { figures };
  },
};

/** The memory in which all contestants switch. */
export interface Ground {
  readonly sources: KernelSources;
  readonly layout: Layout | 'btf';
  readonly access: 'mapped' | 'bytes';
  /** End of the highest System RAM, bytes. */
  readonly end: number | bigint;
  readonly pid: number;
  /** In words, for the table. */
  readonly where: string;
}

/** Another way to switch, and how many times quicker subflowd should be. */
export interface Rival {
  readonly against: string;
  readonly atLeast: number;
  readonly run: Contestant;
}

/** Compares a switch by the public call with the C++ program and the rivals. Each session becomes backup, then active. */
export async function switchFigures(
  course: Course,
  { sources, layout, access, end, pid, where }: Ground,
  rivals: readonly Rival[] = [],
): Promise<Figure[]> {
  const kernel = await openKernel(sources, { access, layout });
  const backend = new DevmemBackend(kernel);
  const floor = Floor.start();
  try {
    const trails = path.join(course.output, 'trails');
    await writeTrails(kernel, pid, trails);
    await floor.ask('open', sources.memory, access, end);
    await floor.ask('sessions', trails);
    const { connections } = await backend.connections(pid);
    const names = connections.map(({ remote: connection, subflows: [, second] }) => {
      if (!second) throw new Error('a connection has no second subflow');
      return { pid, connection, local: second.local, remote: second.remote };
    });
    const ours = switcher(backend, names);
    /** A contestant that switches all sessions in each repetition, as ours does. */
    const each =
      (run: Contestant): Contestant =>
      (count) =>
        run(count * names.length);
    // This builds what is built only once for each session.
    await ours(2);
    const turns = await takeTurns(
      {
        ours,
        floor: each((count) => floor.time('switch', count)),
        guarded: each((count) => floor.time('guarded', count)),
        crossing: crosser(kernel),
        waiting: waiter,
        ...Object.fromEntries(rivals.map(({ against, run }) => [against, run])),
      },
      course,
    );
    const perSwitch = (rounds: readonly number[]) => rounds.map((ns) => ns / names.length);
    const times = {
      ...turns,
      ours: perSwitch(turns.ours),
      floor: perSwitch(turns.floor),
      guarded: perSwitch(turns.guarded),
    };
    const least =
      access === 'mapped' ? 'C++: the same loads, one atomic' : 'C++: one pread a page, one pwrite';
    const sessions = names.length === 1 ? 'the same session' : `${names.length} sessions in a round`;
    const figure = (name: string, mine: readonly number[]): Figure => ({
      name: `${name}, ${sessions}`,
      against: least,
      where,
      ratio: spreadOf(ratios(mine, times.floor)),
      ours: spreadOf(mine),
      theirs: spreadOf(times.floor),
      unit: 'ns',
    });
    return [
      // one call with one switch is mostly the call
      { ...figure('switch', times.ours), ...(names.length > 1 && { goal: { is: 'at most', value: 2 } }) },
      figure('its guarded commit alone, without JavaScript', times.guarded),
      figure('a call into the addon that does nothing', times.crossing),
      figure('an await of a value that already exists', times.waiting),
      ...rivals.map(({ against, atLeast }): Figure => {
        const others = (times as Record<string, number[]>)[against] ?? [];
        return {
          ...figure('switch', times.ours),
          against,
          ratio: spreadOf(ratios(others, times.ours)),
          goal: { is: 'at least', value: atLeast },
          theirs: spreadOf(others),
        };
      }),
    ];
  } finally {
    await floor.stop();
    await backend.close();
  }
}

/** Measures an empty call from JavaScript to C++, which is the least cost of every call. */
function crosser({ memory }: OpenKernel): (count: number) => Promise<number> {
  return (count) =>
    timed(() => {
      for (let done = 0; done < count; done++)
        if (memory.reads < 0) throw new Error('the number of reads is negative');
      return Promise.resolve();
    });
}

/** Measures an `await`, which is the least cost of a call that returns a promise. */
function waiter(count: number): Promise<number> {
  const settled = Promise.resolve();
  return timed(async () => {
    for (let done = 0; done < count; done++) await settled;
  });
}

/** Switches all sessions in each repetition. */
function switcher(backend: DevmemBackend, names: readonly SubflowName[]): Contestant {
  const requests = (['backup', 'active'] as const).map((priority) =>
    names.map((name) => ({ name, priority })),
  );
  let rounds = 0;
  return (count) =>
    timed(async () => {
      for (let done = 0; done < count; done++) {
        for (const result of await backend.setPriorities(requests[rounds++ % 2] ?? [])) {
          if (result.outcome !== 'committed' && result.outcome !== 'unchanged')
            throw new Error(JSON.stringify(result));
        }
      }
    });
}
