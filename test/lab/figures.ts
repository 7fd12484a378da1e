import { priorityOption, type Packet } from './packet.js';
import type { SwitchReport } from './report.js';

const shown = 6;

/** Lines of tcpdump at the client, just before a switch and from one second after it: the paper's figures 8 and 9. */
export function figures(one: SwitchReport, packets: readonly Packet[], startMs: number): string {
  const payload = packets.filter(({ bytes }) => bytes > 0);
  const before = payload.filter(({ timeMs }) => timeMs < startMs + one.requestedMs).slice(-shown);
  const after = payload.filter(({ timeMs }) => timeMs >= startMs + one.committedMs + 1000).slice(0, shown);
  const notices = packets.filter(
    (packet) => packet.timeMs >= startMs + one.requestedMs && priorityOption(packet) !== undefined,
  );
  return [
    `tcpdump at the client, before the switch from ${one.from} to ${one.to}:`,
    ...before.map(shortened),
    `one second after it:`,
    ...after.map(shortened),
    ...(notices.length === 0 ? [] : [`MP_PRIO:`, ...notices.slice(0, 2).map(shortened)]),
    '',
  ].join('\n');
}

/** Leaves out the options of TCP and most of MPTCP. They make a line three times as long and do not concern the path. */
function shortened(packet: Packet): string {
  const priority = priorityOption(packet);
  return `  ${packet.line.replace(/options \[.*\]/, priority === undefined ? 'options […]' : `options [… ${priority} …]`)}`;
}
