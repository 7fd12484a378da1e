import type { Subflow } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import { sessionKey, type PlacedSession } from './placed-session.js';
import { addRate, mapRate, NO_RATE, type Rate } from './rate.js';

/** What was measured of one subflow. */
export interface SubflowMeter {
  /** Absent: on no path of the config. */
  readonly path?: string;
  /** Smoothed over some seconds, bit/s; here and below absent where nothing could be measured yet. */
  readonly rate?: Rate;
  /** Between the last two steps, bit/s. */
  readonly last?: Rate;
  /** The least round-trip time of the last half hour or so, microseconds. */
  readonly leastRtt?: number;
  /** Smoothed by the kernel, microseconds; where nothing was acknowledged for a while, the least one. */
  readonly rtt?: number;
  /** The segments that were sent again / those that were sent, between the last two steps. */
  readonly loss?: number;
  /** The clock when the client last acknowledged something, ms. */
  readonly acknowledgedAt: number;
  readonly counters?: Counters;
}

interface Counters {
  readonly down: number;
  readonly up: number;
  readonly retransmitted: number;
}

/** What was measured of all subflows. Plain data: a step makes a new one. */
export interface Meter {
  /** Milliseconds of a clock that is never set; absent before the first step. */
  readonly at?: number;
  /** By {@link subflowKey}. */
  readonly subflows: ReadonlyMap<string, SubflowMeter>;
  /**
   * By {@link sessionKey}: what each uses over all its subflows, those through the tunnel left out, smoothed, bit/s. Of its
   * own, so that it stays the same while it goes from one subflow to another. Absent where it is not known yet.
   */
  readonly sessions: ReadonlyMap<string, Rate>;
}

export const NO_METER: Meter = { subflows: new Map(), sessions: new Map() };

/** Milliseconds: over less, a rate says more of the packets' rhythm than of what is used. */
const SHORTEST_STEP = 500;
/** Milliseconds after which a change of rate shows by two thirds: longer than a TCP's swings, shorter than a dwell. */
export const SMOOTHING = 3000;
/** The part of its rate below which a session has stopped rather than swung: then it shows in a second or two. */
const STOPPED = 0.01;
const STOPPING = 500;
/** Milliseconds after which a round-trip time is out of date. */
const FRESH = 10_000;
/** Milliseconds in which a least round-trip time goes two thirds of the way to today's: people walk, routes change. */
const DRIFT = 1_800_000;
/** Bytes: what counts as one segment. */
const SEGMENT = 1400;

/** How far an average of so much memory goes to what it was shown for so long; both in the same unit. */
export function approach(from: number, to: number, time: number, memory: number): number {
  return to + (from - to) * Math.exp(-time / memory);
}

/** What tells subflows apart: one of another connection between the same ends is another. */
export function subflowKey(pid: number, token: number, { local, remote }: Subflow): string {
  return `${pid} ${token} ${formatEndpoint(local)} ${formatEndpoint(remote)}`;
}

/**
 * One step: rates from what the counters rose by since the last. A subflow that is new, or whose counters went back, has
 * no rate yet; one that is gone is forgotten.
 * @param now the clock, ms. Where it has not gone on by half a second, nothing is measured; where it went back, it begins
 * anew.
 */
export function meter(before: Meter, sessions: readonly PlacedSession[], now: number): Meter {
  const time = now - (before.at ?? -Infinity);
  if (time >= 0 && time < SHORTEST_STEP) return before;
  const subflows = new Map<string, SubflowMeter>();
  const rates = new Map<string, Rate>();
  for (const { session, connection, placed } of sessions) {
    if (connection === undefined || connection === 'plain') continue;
    const own: Rate[] = [];
    for (const { subflow, path, throughTunnel } of placed) {
      if (throughTunnel) continue;
      const key = subflowKey(connection.pid, connection.token, subflow);
      const measured = measure(before.subflows.get(key), subflow, path, now, time);
      subflows.set(key, measured);
      if (measured.last) own.push(measured.last);
    }
    const key = sessionKey(session);
    if (own.length > 0) rates.set(key, smooth(before.sessions.get(key), own.reduce(addRate, NO_RATE), time));
  }
  return { at: now, subflows, sessions: rates };
}

/** A session's rate; the first is no average of anything. */
function smooth(before: Rate | undefined, last: Rate, time: number): Rate {
  if (!before) return last;
  const hasStopped = last.down + last.up < STOPPED * (before.down + before.up);
  const memory = hasStopped ? STOPPING : SMOOTHING;
  return mapRate((way) => approach(before[way], last[way], time, memory));
}

function measure(
  before: SubflowMeter | undefined,
  subflow: Subflow,
  path: string | undefined,
  now: number,
  time: number,
): SubflowMeter {
  const rtt = known(subflow.rtt);
  const earlier = before?.leastRtt;
  const drifted = earlier && rtt && approach(earlier, rtt, Math.max(0, time), DRIFT);
  const leastRtt = leastOf(drifted ?? earlier, known(subflow.minRtt), rtt);
  const counters = countersOf(subflow);
  const ran = time > 0 ? difference(before?.counters, counters) : undefined;
  const acknowledgedAt = before && ran?.down === 0 ? before.acknowledgedAt : now;
  const rttNow = now - acknowledgedAt < FRESH ? rtt : leastRtt;
  return {
    ...(path !== undefined && { path }),
    ...(leastRtt !== undefined && { leastRtt }),
    ...(rttNow !== undefined && { rtt: rttNow }),
    ...(counters && { counters }),
    ...(ran && ratesOf(before?.rate, ran, time)),
    acknowledgedAt,
  };
}

function ratesOf(
  before: Rate | undefined,
  { down, up, retransmitted }: Counters,
  time: number,
): Pick<SubflowMeter, 'rate' | 'last' | 'loss'> {
  const last = mapRate((way) => ({ down, up })[way] * (8000 / time));
  return {
    // the first is no average of anything
    rate: before ? mapRate((way) => approach(before[way], last[way], time, SMOOTHING)) : last,
    last,
    loss: retransmitted / Math.max(1, retransmitted + down / SEGMENT),
  };
}

/** Undefined where the backend cannot tell. */
function countersOf({ bytesAcked, bytesReceived, retransmitted = 0 }: Subflow): Counters | undefined {
  if (bytesAcked === undefined || bytesReceived === undefined) return undefined;
  return { down: bytesAcked, up: bytesReceived, retransmitted };
}

/** What counters rose by; undefined where they were not there before, or went back. */
function difference(before: Counters | undefined, now: Counters | undefined): Counters | undefined {
  if (!before || !now) return undefined;
  const ran = {
    down: now.down - before.down,
    up: now.up - before.up,
    retransmitted: now.retransmitted - before.retransmitted,
  };
  return Object.values(ran).every((by) => by >= 0) ? ran : undefined;
}

/** 0 is a time that was not measured yet. */
function known(rtt: number | undefined): number | undefined {
  return rtt === 0 ? undefined : rtt;
}

function leastOf(...rtts: readonly (number | undefined)[]): number | undefined {
  const least = Math.min(...rtts.map((rtt) => rtt ?? Infinity));
  return least === Infinity ? undefined : least;
}

/** What was measured of a session's subflows, those through the tunnel left out. */
export function metersOf({ subflows }: Meter, { connection, placed }: PlacedSession): SubflowMeter[] {
  if (connection === undefined || connection === 'plain') return [];
  return placed.flatMap(
    ({ subflow }) => subflows.get(subflowKey(connection.pid, connection.token, subflow)) ?? [],
  );
}

/** What subflows carry together, bit/s. */
export function rateOf(meters: readonly SubflowMeter[]): Rate {
  return meters.reduce((sum, { rate = NO_RATE }) => addRate(sum, rate), NO_RATE);
}
