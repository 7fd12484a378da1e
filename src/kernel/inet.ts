import { canonicalAddress, type Endpoint } from '../endpoint.js';
import type { Column } from './column.js';
import type { Field, Layout } from './layout.js';

// include/linux/socket.h
export const AF_INET = 2;
export const AF_INET6 = 10;

/** The members of `sock_common` that name a TCP socket's two ends. */
export interface InetFields {
  readonly family: Field;
  readonly state: Field;
  readonly daddr: Field;
  readonly rcvSaddr: Field;
  readonly dport: Field;
  readonly num: Field;
  /** Absent on kernels built without IPv6. */
  readonly v6?: { readonly daddr: Field; readonly rcvSaddr: Field };
}

export function inetFields(layout: Layout): InetFields {
  const field = (name: string) => layout.field('sock_common', name);
  const hasV6 = layout.has('sock_common', 'skc_v6_daddr');
  return {
    family: field('skc_family'),
    state: field('skc_state'),
    daddr: field('skc_daddr'),
    rcvSaddr: field('skc_rcv_saddr'),
    dport: field('skc_dport'),
    num: field('skc_num'),
    ...(hasV6 ? { v6: { daddr: field('skc_v6_daddr'), rcvSaddr: field('skc_v6_rcv_saddr') } } : {}),
  };
}

/** All of them, for a column to hold. */
export function allInetFields({ v6, ...rest }: InetFields): Field[] {
  return [...Object.values(rest), ...(v6 ? [v6.daddr, v6.rcvSaddr] : [])];
}

/** Which members hold this row's addresses: those of its family. */
export function addressFields(
  rows: Column,
  row: number,
  fields: InetFields,
): { daddr: Field; rcvSaddr: Field } {
  return rows.u32(row, fields.family) === AF_INET6 && fields.v6 ? fields.v6 : fields;
}

/** Both ends of a socket; the remote port lies in network byte order, the local one in the host's. */
export function endpoints(
  rows: Column,
  row: number,
  fields: InetFields,
): { local: Endpoint; remote: Endpoint } {
  const { daddr, rcvSaddr } = addressFields(rows, row, fields);
  const dport = rows.slice(row, fields.dport);
  return {
    local: { address: addressText(rows.slice(row, rcvSaddr)), port: rows.u32(row, fields.num) },
    remote: {
      address: addressText(rows.slice(row, daddr)),
      port: ((dport[0] as number) << 8) | (dport[1] as number),
    },
  };
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  }
  return canonicalAddress(groups.join(':'));
}
