import Table from 'cli-table3';
import type { Report } from './report.js';

/** The report as text for a terminal. */
export function summary(report: Report): string {
  const { transfer, rule } = report;
  const table = new Table({
    head: [
      'switch',
      'by',
      'committed after',
      'first packet after',
      'on new path after 1 s',
      'MP_PRIO sent/received',
    ],
    style: { head: [], border: [] },
  });
  for (const one of report.switches) {
    const first = one.firstPacketOnNewPathMs;
    table.push([
      `${one.from} -> ${one.to}`,
      one.by === 'file' ? 'subflowd.ini' : 'subflowd primary',
      `${one.committedMs - one.requestedMs} ms`,
      first === null ? 'none' : `${first - one.requestedMs} ms`,
      percent(one.shareOnNewPathAfter1s),
      `${one.mpPrioSent}/${one.mpPrioReceived}`,
    ]);
  }
  const lateMs = rule.committedMs - rule.connectedMs;
  return [
    '',
    `${report.backend} on Linux ${report.kernel}, OpenVPN ${report.openvpn}: ${report.writes}`,
    `${transfer.bytes} bytes, hash ${transfer.sha256Matches ? 'matches' : 'DOES NOT MATCH'}, ${transfer.reconnects} reconnects`,
    `the rule was in force ${Math.abs(lateMs)} ms ${lateMs < 0 ? 'before' : 'after'} the client was connected`,
    table.toString(),
    ...(report.switches.every(({ mpPrioSent }) => mpPrioSent === 0)
      ? [
          'The client was not notified (no MP_PRIO): the server sends on the new path, and the client chooses its path itself.',
        ]
      : []),
    '',
  ].join('\n');
}

function percent(share: number | null): string {
  return share === null ? 'no payload' : `${(share * 100).toFixed(2)} %`;
}
