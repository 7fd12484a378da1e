import { formatEndpoint } from '../model/endpoint.js';
import type { ClientRow } from './management/status.js';
import type { ValidRecord } from './records/record-table.js';

/** A client of `status`, completed from hooks and real-time messages. */
export interface RosterRow extends ClientRow {
  /** From a hook or `>CLIENT:ESTABLISHED`, if `status` does not show it. 1 to 65535. */
  readonly port?: number;
  /** {@link formatEndpoint} of address and port; absent without a port. */
  readonly endpoint?: string;
  /** Present if `>CLIENT:ESTABLISHED` has reported the client. */
  readonly authentication?: Authentication;
}

/** OpenVPN has authenticated a client, but it can still refuse it. */
export interface Authentication {
  /** `performance.now()` of the report. */
  readonly at: number;
  /** The addresses inside the tunnel that the client gets if OpenVPN lets it in. */
  readonly virtual: readonly string[];
}

/** A row with its port; without one if it is not known. */
export function withPort(row: ClientRow, port: number | undefined): RosterRow {
  return port === undefined
    ? row
    : { ...row, port, endpoint: formatEndpoint({ address: row.address, port }) };
}

/**
 * Adds the port to rows without one (IPv6, OpenVPN before 2.7): the port in the record of the same client. It is the same
 * client if the time is the same.
 * @param records is called only if a row needs a port.
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
