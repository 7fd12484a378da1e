import type { PathCounters, InterfaceSample } from './interface-watch.js';
import type { Probe } from './prober.js';
import { percentile } from './statistics.js';

/** What a person at a client notices. */
export interface Experience {
  /** Round-trip time through the tunnel, milliseconds. */
  readonly rttMs: { readonly median: number; readonly p95: number; readonly p99: number };
  /** The longest time without an answer to a probe, milliseconds. */
  readonly longestGapMs: number;
  /** The part of the probes that had no answer, 0 to 1. */
  readonly unanswered: number;
}

/**
 * The experience of one client during the load. A probe without an answer counts as answered when the next answer to a
 * later probe came, or at the end: a person who tries again waits that long.
 * @param probes in the order in which they were sent; those outside the load are ignored.
 * @throws {Error} if no probe was sent during the load.
 */
export function experienceOf(probes: readonly Probe[], beganMs: number, endedMs: number): Experience {
  const within = probes.filter(({ sentMs }) => sentMs >= beganMs && sentMs < endedMs);
  if (within.length === 0) throw new Error('no probe was sent during the load');
  const answers = within.flatMap(({ sentMs, rttMs }) => (rttMs === undefined ? [] : [sentMs + rttMs]));
  let nextAnswerMs = endedMs;
  const rtts = within.toReversed().map(({ sentMs, rttMs }) => {
    if (rttMs !== undefined) nextAnswerMs = sentMs + rttMs;
    return rttMs ?? Math.max(0, nextAnswerMs - sentMs);
  });
  const times = [beganMs, ...answers.toSorted((a, b) => a - b), Math.max(endedMs, ...answers.slice(-1))];
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
  return {
    rttMs: { median: percentile(rtts, 0.5), p95: percentile(rtts, 0.95), p99: percentile(rtts, 0.99) },
    longestGapMs: Math.max(...gaps),
    unanswered: (within.length - answers.length) / within.length,
  };
}

/** A path is in use while it carried a packet in this many milliseconds before. */
const IN_USE_FOR_MS = 1000;

/**
 * For how long a client's radios were in use during the load, seconds: the sum over its paths.
 * @param samples in order of time.
 */
export function radioSeconds(
  samples: readonly InterfaceSample[],
  client: string,
  beganMs: number,
  endedMs: number,
): number {
  const carriedAt = new Map<string, number>();
  let before: Readonly<Record<string, PathCounters>> = {};
  let beforeMs = -Infinity;
  let inUseMs = 0;
  for (const { timeMs, clients } of samples) {
    const counters = clients[client] ?? {};
    for (const [path, { packets }] of Object.entries(counters)) {
      if (packets > (before[path]?.packets ?? packets)) carriedAt.set(path, timeMs);
      const fromMs = Math.max(beganMs, beforeMs);
      const toMs = Math.min(endedMs, timeMs, (carriedAt.get(path) ?? -Infinity) + IN_USE_FOR_MS);
      inUseMs += Math.max(0, toMs - fromMs);
    }
    before = counters;
    beforeMs = timeMs;
  }
  return inUseMs / 1000;
}
