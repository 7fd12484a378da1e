import { rise } from './counters.js';
import { openvpnPort } from './openvpn.js';
import { priorityOption, type Packet } from './packet.js';
import type { BothCounters } from './switch-report.js';

/** How many MP_PRIO options the server sent and its client received, in a span of time. */
export interface MpPrio {
  readonly sent: number;
  readonly received: number;
}

/** The numbers by the kernels' counters at both ends. */
export function countedMpPrio(before: BothCounters, after: BothCounters): MpPrio {
  return {
    sent: rise('MPTcpExtMPPrioTx', before.server, after.server),
    received: rise('MPTcpExtMPPrioRx', before.client, after.client),
  };
}

/** The numbers by tcpdump at both ends, for kernels that do not count MP_PRIO. Times are Unix time in milliseconds. */
export function capturedMpPrio(
  { server, client }: { readonly server: readonly Packet[]; readonly client: readonly Packet[] },
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): MpPrio {
  const fromServer = (packets: readonly Packet[]) =>
    packets.filter(
      (packet) =>
        packet.sourcePort === openvpnPort &&
        packet.timeMs >= fromMs &&
        packet.timeMs < untilMs &&
        priorityOption(packet) !== undefined,
    ).length;
  return { sent: fromServer(server), received: fromServer(client) };
}
