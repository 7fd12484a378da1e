import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The share of one core that a process uses during the next `forMs`: 1 is the whole core. */
export async function partOfCore(pid: number, forMs: number): Promise<number> {
  const [used, start] = [await processorMs(pid), performance.now()];
  await sleep(forMs);
  return ((await processorMs(pid)) - used) / (performance.now() - start);
}

/** What it has used so far, milliseconds (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat). */
async function processorMs(pid: number): Promise<number> {
  const tasks = `/proc/${pid}/task`;
  const ns = await Promise.all(
    (await readdir(tasks)).map(async (task) => {
      const text = await readFile(path.join(tasks, task, 'schedstat'), 'latin1');
      return Number(text.split(' ')[0]);
    }),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** Memory that a process has now, and the most that it has had; MiB (proc(5), /proc/PID/status). */
export async function residentMiB(pid: number): Promise<{ readonly now: number; readonly most: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { now: mib('VmRSS'), most: mib('VmHWM') };
}
