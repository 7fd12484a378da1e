import { rise } from './counters.js';
import { openvpnPort } from './openvpn.js';
import { tellsPriority, type Packet } from './packet.js';
import type { BothCounters } from './switch-report.js';

/** MP_PRIO that the server sent and that its client got, in a span of time. */
export interface MpPrio {
  readonly sent: number;
  readonly received: number;
}

/** As both ends' kernels counted it. */
export function countedMpPrio(before: BothCounters, after: BothCounters): MpPrio {
  return {
    sent: rise('MPTcpExtMPPrioTx', before.server, after.server),
    received: rise('MPTcpExtMPPrioRx', before.client, after.client),
  };
}

/** For kernels that do not count it: as tcpdump caught it at both ends. Times are Unix time in milliseconds. */
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
        tellsPriority(packet) !== undefined,
    ).length;
  return { sent: fromServer(server), received: fromServer(client) };
}
