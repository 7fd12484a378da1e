import type { Subflow } from '../../model/subflow.js';
import { isSameEndpoint } from '../../model/endpoint.js';
import { sessionKey, type PlacedSession } from '../placed-session.js';
import { addRate, mapRate, NO_RATE, type Rate } from '../../model/rate.js';

/** What was measured of one subflow. */
export interface SubflowMeter {
  /** Undefined: on no path of the config. */
  readonly path?: string | undefined;
  /** Smoothed over some seconds, bit/s. This and the following are undefined if nothing could be measured yet. */
  readonly rate?: Rate | undefined;
  /** Between the last two rounds, bit/s. */
  readonly last?: Rate | undefined;
  /** The lowest round-trip time of about the last half hour, microseconds. */
  readonly leastRtt?: number | undefined;
  /** Smoothed by the kernel, microseconds; the lowest one if nothing was acknowledged for a while. */
  readonly rtt?: number | undefined;
  /** The fraction of segments that were retransmitted between the last two rounds, 0 to 1. */
  readonly loss?: number | undefined;
  /** When the client last acknowledged something, milliseconds of a monotonic clock. */
  readonly acknowledgedAt: number;
  readonly counters?: Counters | undefined;
}

/** The counters of a subflow, or their increase. */
interface Counters {
  /** Bytes. */
  readonly down: number;
  /** Bytes. */
  readonly up: number;
  /** Segments. */
  readonly retransmitted: number;
}

/** The measurements of one connection's subflows, without those through the tunnel. */
export interface ConnectionMeter {
  readonly token: number;
  readonly subflows: readonly Pick<Subflow, 'local' | 'remote'>[];
  /** In the same order. */
  readonly meters: readonly SubflowMeter[];
}

/** The measurements of all subflows. Plain data: each round makes a new one. */
export interface Meter {
  /** Milliseconds of a monotonic clock; absent before the first round. */
  readonly at?: number;
  /** By {@link sessionKey}. */
  readonly connections: ReadonlyMap<string, ConnectionMeter>;
  /**
   * By {@link sessionKey}: what each session uses over all its subflows, without those through the tunnel, smoothed,
   * bit/s. It is smoothed by itself, so it does not change when a session moves between subflows. Absent if it is not
   * known yet.
   */
  readonly sessions: ReadonlyMap<string, Rate>;
  /**
   * By {@link sessionKey}: how long a time the rate of `sessions` is an average of, milliseconds, up to
   * {@link SMOOTHING_MS}. It begins again when a session starts to carry.
   */
  readonly averagedFor: ReadonlyMap<string, number>;
}

/** Before the first round. */
export const NO_METER: Meter = { connections: new Map(), sessions: new Map(), averagedFor: new Map() };

/**
 * The shortest interval between two measurements, milliseconds. Shorter ones measure burst timing, not throughput. It
 * is a little below the shortest pause between two rounds, because timers are not exact.
 */
const MIN_STEP_MS = 200;
/**
 * Milliseconds after which an average shows two thirds of a change: longer than TCP oscillates, shorter than a dwell
 * time.
 */
export const SMOOTHING_MS = 3000;
/** Below this fraction of its average rate a session counts as stopped. Its rate then falls in a second or two. */
const STOPPED_FRACTION = 0.01;
/**
 * At this multiple of its average rate a session counts as started. Its average then begins again, so that a newcomer
 * is seen with its whole rate after two rounds.
 */
const STARTED_FACTOR = 4;
/** A session does not count as started below this rate, bit/s. */
const MIN_STARTED_RATE = 100_000;
/** The same as {@link SMOOTHING_MS} for a session that has stopped. */
const STOPPED_SMOOTHING_MS = 500;
/** Milliseconds without an acknowledgement after which a round-trip time is out of date. */
const RTT_VALID_MS = 10_000;
/**
 * Milliseconds in which the lowest round-trip time rises by two thirds of the distance to the present one. It must not
 * stay for ever, because people move and routes change.
 */
const MIN_RTT_DRIFT_MS = 1_800_000;
/** The assumed size of a segment, bytes. */
export const SEGMENT_BYTES = 1400;

/**
 * An exponential average that was `from`, after the measured value has been `to` for the time `time`.
 * @param memory the time constant, in the unit of `time`.
 */
export function approach(from: number, to: number, time: number, memory: number): number {
  return to + (from - to) * Math.exp(-time / memory);
}

/**
 * One round: computes rates from the increase of the counters since the last round. A subflow that is new, or whose
 * counters decreased, has no rate yet.
 * @param now milliseconds of a monotonic clock. If less than 200 ms have passed, nothing is measured. If the
 * clock went back, measuring begins again.
 */
export function measureSessions(before: Meter, sessions: readonly PlacedSession[], now: number): Meter {
  const time = now - (before.at ?? -Infinity);
  if (time >= 0 && time < MIN_STEP_MS) return before;
  const connections = new Map<string, ConnectionMeter>();
  const rates = new Map<string, Rate>();
  const averagedFor = new Map<string, number>();
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
    if (!own) continue;
    const average = smooth(before.sessions.get(key), before.averagedFor.get(key) ?? 0, own, time);
    rates.set(key, average.rate);
    averagedFor.set(key, average.averagedFor);
  }
  return { at: now, connections, sessions: rates, averagedFor };
}

/** The last measurement of a subflow. A subflow of another connection between the same ends is a different one. */
function meterOf(earlier: ConnectionMeter | undefined, { local, remote }: Subflow): SubflowMeter | undefined {
  const index = earlier?.subflows.findIndex(
    (one) => isSameEndpoint(one.remote, remote) && isSameEndpoint(one.local, local),
  );
  return earlier?.meters[index ?? -1];
}

/**
 * A session's smoothed rate. The first rate is not averaged. When a session starts, this is the mean since then; the
 * interval in which it started does not count, because it carried for only a part of that.
 */
function smooth(
  before: Rate | undefined,
  averagedFor: number,
  last: Rate,
  time: number,
): { readonly rate: Rate; readonly averagedFor: number } {
  const [sumBefore, sum] = [before ? before.down + before.up : 0, last.down + last.up];
  const hasStarted = sum >= MIN_STARTED_RATE && sum > STARTED_FACTOR * sumBefore;
  if (!before || hasStarted) return { rate: last, averagedFor: 0 };
  const hasStopped = sum < STOPPED_FRACTION * sumBefore;
  const weightBefore = hasStopped
    ? Math.exp(-time / STOPPED_SMOOTHING_MS)
    : Math.min(Math.exp(-time / SMOOTHING_MS), averagedFor / (averagedFor + time));
  const rate = mapRate((direction) => last[direction] + (before[direction] - last[direction]) * weightBefore);
  return { rate, averagedFor: Math.min(averagedFor + time, SMOOTHING_MS) };
}

function measure(
  before: SubflowMeter | undefined,
  subflow: Subflow,
  path: string | undefined,
  now: number,
  time: number,
): SubflowMeter {
  const rtt = measuredRtt(subflow.rtt);
  const earlier = before?.leastRtt;
  const drifted = earlier && rtt && approach(earlier, rtt, Math.max(0, time), MIN_RTT_DRIFT_MS);
  const leastRtt = leastOf(drifted ?? earlier, measuredRtt(subflow.minRtt), rtt);
  const counters = countersOf(subflow);
  const increase = time > 0 ? difference(before?.counters, counters) : undefined;
  const acknowledgedAt = before && increase?.down === 0 ? before.acknowledgedAt : now;
  const rttNow = now - acknowledgedAt < RTT_VALID_MS ? rtt : leastRtt;
  const rates = increase && ratesOf(before?.rate, increase, time);
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

/** Rates in bit/s from an increase in bytes. @param time milliseconds. */
function ratesOf(before: Rate | undefined, { down, up, retransmitted }: Counters, time: number) {
  const last = { down: down * (8000 / time), up: up * (8000 / time) };
  return {
    // the first rate is not averaged
    rate: before
      ? mapRate((direction) => approach(before[direction], last[direction], time, SMOOTHING_MS))
      : last,
    last,
    loss: retransmitted / Math.max(1, retransmitted + down / SEGMENT_BYTES),
  };
}

/** Undefined if the backend does not know them. */
function countersOf({ bytesAcked, bytesReceived, retransmitted = 0 }: Subflow): Counters | undefined {
  if (bytesAcked === undefined || bytesReceived === undefined) return undefined;
  return { down: bytesAcked, up: bytesReceived, retransmitted };
}

/** The increase of the counters; undefined if they were not known before, or decreased. */
function difference(before: Counters | undefined, now: Counters | undefined): Counters | undefined {
  if (!before || !now) return undefined;
  const increase = {
    down: now.down - before.down,
    up: now.up - before.up,
    retransmitted: now.retransmitted - before.retransmitted,
  };
  return increase.down >= 0 && increase.up >= 0 && increase.retransmitted >= 0 ? increase : undefined;
}

/** A round-trip time of 0 was not measured yet. */
function measuredRtt(rtt: number | undefined): number | undefined {
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

/** The measurements of a session's subflows, without those through the tunnel. */
export function metersOf(
  { connections }: Meter,
  { session, connection }: PlacedSession,
): readonly SubflowMeter[] {
  if (connection === undefined || connection === 'plain') return [];
  return connections.get(sessionKey(session))?.meters ?? [];
}

/** The total of what subflows carry, bit/s. */
export function rateOf(meters: readonly SubflowMeter[]): Rate {
  return meters.reduce((sum, { rate = NO_RATE }) => addRate(sum, rate), NO_RATE);
}
