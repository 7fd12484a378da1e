import { fullness, type PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, NO_RATE, type Rate } from '../../model/rate.js';

/** A session's path and the rate that was measured. */
export interface MeasuredUse {
  readonly path?: string | undefined;
  readonly rate: Rate;
}

/**
 * A session on a congested path counts as elastic if it uses at least this fraction of the largest one's rate: it uses
 * whatever it gets. The rates of TCP connections that share a queue differ by a factor of two or three for many
 * seconds.
 */
const ELASTIC_FRACTION = 0.15;
/**
 * From this utilisation on, a path counts as full even without a visible queue. It is below 1, because rates are of
 * payload and capacities are of whole packets.
 */
const FULL_FROM = 0.92;

/** Whether a path has no room for more: its queue grows, or it carries about its capacity. */
export function isFull(path: PathLoad): boolean {
  return path.isCongested || (fullness(path) ?? 0) >= FULL_FROM;
}

/**
 * Estimates the rate that each session would use, bit/s. On a congested or full path, the rates of the largest
 * sessions do not show what they ask for. They show what the path had left for each, which is partly chance. So all
 * these sessions, over all such paths, count as equal: each gets an equal part of their total.
 * @returns in the order of the sessions.
 */
export function estimateDemands(sessions: readonly MeasuredUse[], paths: readonly PathLoad[]): Rate[] {
  const full = new Set(paths.filter(isFull).map(({ name }) => name));
  const fullerDirection = (sum: Rate) => (sum.up > sum.down ? 'up' : 'down');
  const groups = new Map<string, number[]>();
  sessions.forEach(({ path }, index) => {
    if (path === undefined || !full.has(path)) return;
    const group = groups.get(path);
    if (group) group.push(index);
    else groups.set(path, [index]);
  });
  const result = sessions.map(({ rate }) => rate);
  const rateOf = (index: number) => sessions[index]?.rate ?? NO_RATE;
  const limited = [...groups.values()].flatMap((group) => {
    const fuller = fullerDirection(group.map(rateOf).reduce(addRate, NO_RATE));
    const largest = group.reduce((most, index) => Math.max(most, rateOf(index)[fuller]), 0);
    return group
      .filter((index) => largest > 0 && rateOf(index)[fuller] >= ELASTIC_FRACTION * largest)
      .map((index) => ({ index, fuller }));
  });
  for (const fuller of ['down', 'up'] as const) {
    const equal = limited.filter((one) => one.fuller === fuller).map(({ index }) => index);
    const sum = equal.map(rateOf).reduce(addRate, NO_RATE);
    for (const index of equal) result[index] = mapRate((each) => sum[each] / equal.length);
  }
  return result;
}
