import type { Subflow } from '../../model/subflow.js';
import { isSameEndpoint } from '../../model/endpoint.js';
import { sessionKey, type PlacedSession } from '../placed-session.js';
import { addRate, mapRate, NO_RATE, type Rate } from '../../model/rate.js';

/** What was measured of one subflow. */
export interface SubflowMeter {
  /** Undefined: on no path of the config. */
  readonly path?: string | undefined;
  /** Smoothed over some seconds, bit/s; here and below undefined where nothing could be measured yet. */
  readonly rate?: Rate | undefined;
  /** Between the last two steps, bit/s. */
  readonly last?: Rate | undefined;
  /** The least round-trip time of the last half hour or so, microseconds. */
  readonly leastRtt?: number | undefined;
  /** Smoothed by the kernel, microseconds; where nothing was acknowledged for a while, the least one. */
  readonly rtt?: number | undefined;
  /** The segments that were sent again / those that were sent, between the last two steps. */
  readonly loss?: number | undefined;
  /** The clock when the client last acknowledged something, ms. */
  readonly acknowledgedAt: number;
  readonly counters?: Counters | undefined;
}

interface Counters {
  readonly down: number;
  readonly up: number;
  readonly retransmitted: number;
}

/** What was measured of one connection's subflows, those through the tunnel left out. */
export interface ConnectionMeter {
  readonly token: number;
  readonly subflows: readonly Pick<Subflow, 'local' | 'remote'>[];
  /** In the same order. */
  readonly meters: readonly SubflowMeter[];
}

/** What was measured of all subflows. Plain data: a step makes a new one. */
export interface Meter {
  /** Milliseconds of a clock that is never set; absent before the first step. */
  readonly at?: number;
  /** By {@link sessionKey}. */
  readonly connections: ReadonlyMap<string, ConnectionMeter>;
  /**
   * By {@link sessionKey}: what each uses over all its subflows, those through the tunnel left out, smoothed, bit/s. Of its
   * own, so that it stays the same while it goes from one subflow to another. Absent where it is not known yet.
   */
  readonly sessions: ReadonlyMap<string, Rate>;
}

export const NO_METER: Meter = { connections: new Map(), sessions: new Map() };

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

/**
 * One step: rates from what the counters rose by since the last. A subflow that is new, or whose counters went back, has
 * no rate yet; one that is gone is forgotten.
 * @param now the clock, ms. Where it has not gone on by half a second, nothing is measured; where it went back, it begins
 * anew.
 */
export function measureSessions(before: Meter, sessions: readonly PlacedSession[], now: number): Meter {
  const time = now - (before.at ?? -Infinity);
  if (time >= 0 && time < SHORTEST_STEP) return before;
  const connections = new Map<string, ConnectionMeter>();
  const rates = new Map<string, Rate>();
  for (const { session, connection, placed } of sessions) {
    if (connection === undefined || connection === 'plain') continue;
    const key = sessionKey(session);
    const { token } = connection;
    const known = before.connections.get(key);
    const earlier = known?.token === token ? known : undefined;
    const subflows: Subflow[] = [];
    const meters: SubflowMeter[] = [];
    let own: Rate | undefined;
    for (const { subflow, path, throughTunnel } of placed) {
      if (throughTunnel) continue;
      const measured = measure(meterOf(earlier, subflow), subflow, path, now, time);
      subflows.push(subflow);
      meters.push(measured);
      if (measured.last) own = own ? addRate(own, measured.last) : measured.last;
    }
    connections.set(key, { token, subflows, meters });
    if (own) rates.set(key, smooth(before.sessions.get(key), own, time));
  }
  return { at: now, connections, sessions: rates };
}

/** What is known of a subflow: one of another connection between the same ends is another. */
function meterOf(earlier: ConnectionMeter | undefined, { local, remote }: Subflow): SubflowMeter | undefined {
  const index = earlier?.subflows.findIndex(
    (one) => isSameEndpoint(one.remote, remote) && isSameEndpoint(one.local, local),
  );
  return earlier?.meters[index ?? -1];
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
  const rates = ran && ratesOf(before?.rate, ran, time);
  return {
    path,
    leastRtt,
    rtt: rttNow,
    counters,
    rate: rates?.rate,
    last: rates?.last,
    loss: rates?.loss,
    acknowledgedAt,
  };
}

function ratesOf(before: Rate | undefined, { down, up, retransmitted }: Counters, time: number) {
  const last = { down: down * (8000 / time), up: up * (8000 / time) };
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
  return ran.down >= 0 && ran.up >= 0 && ran.retransmitted >= 0 ? ran : undefined;
}

/** 0 is a time that was not measured yet. */
function known(rtt: number | undefined): number | undefined {
  return rtt === 0 ? undefined : rtt;
}

function leastOf(
  one: number | undefined,
  other: number | undefined,
  third: number | undefined,
): number | undefined {
  const least = Math.min(one ?? Infinity, other ?? Infinity, third ?? Infinity);
  return least === Infinity ? undefined : least;
}

/** What was measured of a session's subflows, those through the tunnel left out. */
export function metersOf(
  { connections }: Meter,
  { session, connection }: PlacedSession,
): readonly SubflowMeter[] {
  if (connection === undefined || connection === 'plain') return [];
  return connections.get(sessionKey(session))?.meters ?? [];
}

/** What subflows carry together, bit/s. */
export function rateOf(meters: readonly SubflowMeter[]): Rate {
  return meters.reduce((sum, { rate = NO_RATE }) => addRate(sum, rate), NO_RATE);
}
