import type { Counters } from './counters.js';
import type { MpPrio } from './mp-prio.js';
import type { SwitchReport } from './report.js';
import { share, type PathPacket } from './traffic.js';

/** Counters of both ends at one moment. */
export interface BothCounters {
  readonly server: Counters;
  readonly client: Counters;
}

/** A switch that was requested and committed. Times are Unix time in milliseconds. */
export interface Switch {
  readonly by: SwitchReport['by'];
  readonly from: string;
  readonly to: string;
  readonly requestedMs: number;
  readonly committedMs: number;
  /** Read just before the request. */
  readonly before: BothCounters;
}

/**
 * Measures the traffic between a switch and the next event.
 * @param nextMs the next event, Unix time.
 * @param packets those that the client captured.
 * @param startMs Unix time of the start of the experiment, from which the report counts.
 */
export function measureSwitch(
  client: string,
  { by, from, to, requestedMs, committedMs }: Switch,
  nextMs: number,
  packets: readonly PathPacket[],
  mpPrio: MpPrio,
  startMs: number,
): SwitchReport {
  const firstOnNewPath = packets.find(
    ({ timeMs, path, direction }) => timeMs >= requestedMs && path === to && direction === 'toClient',
  );
  const span = { fromMs: committedMs + 1000, untilMs: nextMs };
  return {
    client,
    from,
    to,
    by,
    requestedMs: requestedMs - startMs,
    committedMs: committedMs - startMs,
    firstPacketOnNewPathMs: firstOnNewPath === undefined ? null : Math.round(firstOnNewPath.timeMs - startMs),
    shareOnNewPathAfter1s: share(packets, to, span),
    shareToClientAfter1s: share(packets, to, { ...span, direction: 'toClient' }),
    shareToServerAfter1s: share(packets, to, { ...span, direction: 'toServer' }),
    mpPrioSent: mpPrio.sent,
    mpPrioReceived: mpPrio.received,
  };
}
