import { fullness, type PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, NO_RATE, type Rate } from '../../model/rate.js';

/** A session, by what it was measured to use. */
export interface MeasuredUse {
  readonly path?: string | undefined;
  readonly rate: Rate;
}

/**
 * Of those on a congested path, who uses this part of what the greatest does takes what it gets: TCPs that share a queue
 * differ by two or three times for many seconds.
 */
const ELASTIC = 0.25;
/** From here a path holds its sessions up even where no queue is seen: rates are of payload, capacities of packets. */
const FULL = 0.92;

/**
 * What sessions would use, bit/s. Where a path is congested or full, what its greatest users were measured to use is not what
 * they ask for, but what was left for each; it says as much of chance as of them. So all who are held up are taken for
 * alike: each for an equal part of what they have together, over all such paths.
 * @returns in the order of the sessions.
 */
export function estimateDemands(sessions: readonly MeasuredUse[], paths: readonly PathLoad[]): Rate[] {
  const isFull = (path: PathLoad) => path.isCongested || (fullness(path) ?? 0) >= FULL;
  const full = new Set(paths.filter(isFull).map(({ name }) => name));
  const way = (sum: Rate) => (sum.up > sum.down ? 'up' : 'down');
  const groups = new Map<string, number[]>();
  sessions.forEach(({ path }, index) => {
    if (path === undefined || !full.has(path)) return;
    const group = groups.get(path);
    if (group) group.push(index);
    else groups.set(path, [index]);
  });
  const result = sessions.map(({ rate }) => rate);
  const rateOf = (index: number) => sessions[index]?.rate ?? NO_RATE;
  const held = [...groups.values()].flatMap((group) => {
    const fuller = way(group.map(rateOf).reduce(addRate, NO_RATE));
    const greatest = group.reduce((most, index) => Math.max(most, rateOf(index)[fuller]), 0);
    return group
      .filter((index) => greatest > 0 && rateOf(index)[fuller] >= ELASTIC * greatest)
      .map((index) => ({ index, fuller }));
  });
  for (const fuller of ['down', 'up'] as const) {
    const alike = held.filter((one) => one.fuller === fuller).map(({ index }) => index);
    const sum = alike.map(rateOf).reduce(addRate, NO_RATE);
    for (const index of alike) result[index] = mapRate((each) => sum[each] / alike.length);
  }
  return result;
}
