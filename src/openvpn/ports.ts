import { formatEndpoint } from '../model/endpoint.js';
import type { ValidRecord } from './records/record-table.js';
import { withPort, type RosterRow } from './merge.js';

/**
 * Gives rows without a port (IPv6, OpenVPN before 2.7) the port of the record of the same client: OpenVPN gives
 * both the same time.
 * @param records are asked for only where they are needed.
 */
export function withPorts(rows: RosterRow[], records: () => readonly ValidRecord[]): RosterRow[] {
  if (rows.every(({ port }) => port !== undefined)) return rows;
  const taken = new Set(rows.map(({ endpoint }) => endpoint));
  const free = records().filter(({ record }) => !taken.has(formatEndpoint(record.real)));
  return rows.map((row) => {
    if (row.port !== undefined) return row;
    const index = free.findIndex(
      ({ record }) =>
        record.real.address === row.address &&
        record.commonName === row.commonName &&
        (record.since === undefined || row.since === undefined || record.since === row.since),
    );
    const [match] = index === -1 ? [] : free.splice(index, 1);
    return withPort(row, match?.record.real.port);
  });
}
