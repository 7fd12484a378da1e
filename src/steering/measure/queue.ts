/**
 * A queue grows if the round-trip time is this many microseconds above its lowest one. Delayed ACKs and radio links add
 * less.
 */
const QUEUE_RTT_US = 15_000;
/** The same as a fraction of the lowest round-trip time. The larger of the two counts. */
const QUEUE_RTT_FRACTION = 0.5;

/** Whether a round-trip time shows a queue. @param rtt, leastRtt the present and the lowest one, microseconds. */
export function showsQueue(rtt: number, leastRtt: number): boolean {
  return rtt - leastRtt > Math.max(QUEUE_RTT_US, QUEUE_RTT_FRACTION * leastRtt);
}
