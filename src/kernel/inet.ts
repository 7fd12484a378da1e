import { canonicalAddress, type Endpoint } from '../endpoint.js';
import type { AddressSpace } from './address_space.js';
import type { Column } from './column.js';
import type { Field, Layout } from './layout.js';

// include/linux/socket.h
const AF_INET = 2;
const AF_INET6 = 10;
// include/net/tcp_states.h
const TCP_ESTABLISHED = 1;

/** One member of a socket's ends as it lies in memory, for a guard. */
export interface EndPart {
  /** What an admin would call it. */
  readonly what: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/**
 * Reads the two ends of TCP sockets. Ports are in `sock_common` since Linux 3.9, IPv6 addresses since 3.13; before, they
 * are in `inet_sock` and in the `ipv6_pinfo` that `inet_sock.pinet6` points to.
 */
export class InetReader {
  readonly #family: Field;
  readonly #state: Field;
  readonly #dport: Field;
  readonly #num: Field;
  readonly #v4: Addresses;
  /** Absent on kernels built without IPv6. */
  readonly #v6: Addresses | undefined;
  /** Where the IPv6 addresses lie behind a pointer: that pointer. */
  readonly #pinet6: Field | undefined;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
  ) {
    const either = (common: string, inet: string) =>
      layout.has('sock_common', common)
        ? layout.field('sock_common', common)
        : layout.field('inet_sock', inet);
    this.#family = layout.field('sock_common', 'skc_family');
    this.#state = layout.field('sock_common', 'skc_state');
    this.#dport = either('skc_dport', 'inet_dport');
    this.#num = either('skc_num', 'inet_num');
    this.#v4 = {
      daddr: either('skc_daddr', 'inet_daddr'),
      rcvSaddr: either('skc_rcv_saddr', 'inet_rcv_saddr'),
    };
    if (layout.has('sock_common', 'skc_v6_daddr')) {
      this.#v6 = {
        daddr: layout.field('sock_common', 'skc_v6_daddr'),
        rcvSaddr: layout.field('sock_common', 'skc_v6_rcv_saddr'),
      };
    } else if (layout.has('inet_sock', 'pinet6') && layout.has('ipv6_pinfo', 'daddr')) {
      this.#pinet6 = layout.field('inet_sock', 'pinet6');
      this.#v6 = {
        daddr: layout.field('ipv6_pinfo', 'daddr'),
        rcvSaddr: layout.field('ipv6_pinfo', 'rcv_saddr'),
      };
    }
  }

  /** The ends of all these sockets in one pass (two where IPv6 addresses lie behind a pointer). */
  read(socks: BigUint64Array): Ends {
    const own = [this.#family, this.#state, this.#dport, this.#num, this.#v4.daddr, this.#v4.rcvSaddr];
    const [v6, pinet6] = [this.#v6, this.#pinet6];
    const rows = this.space.gather(socks, [
      ...own,
      ...(pinet6 ? [pinet6] : v6 ? [v6.daddr, v6.rcvSaddr] : []),
    ]);
    const isInet = (row: number) => [AF_INET, AF_INET6].includes(rows.u32(row, this.#family));
    const isV6 = (row: number) => v6 !== undefined && rows.u32(row, this.#family) === AF_INET6;
    const behind = pinet6
      ? BigUint64Array.from(socks, (_, row) => (rows.isRead(row) && isV6(row) ? rows.u64(row, pinet6) : 0n))
      : undefined;
    const pinfo = behind && v6 ? this.space.gather(behind, [v6.daddr, v6.rcvSaddr]) : undefined;

    const addresses = (row: number): Place => {
      if (!v6 || !isV6(row)) return { rows, base: socks[row] as bigint, ...this.#v4 };
      if (pinfo && behind) return { rows: pinfo, base: behind[row] as bigint, ...v6 };
      return { rows, base: socks[row] as bigint, ...v6 };
    };
    return {
      isEstablished: (row) =>
        rows.isRead(row) &&
        isInet(row) &&
        rows.u32(row, this.#state) === TCP_ESTABLISHED &&
        addresses(row).rows.isRead(row),
      local: (row) => {
        const place = addresses(row);
        return {
          address: addressText(place.rows.slice(row, place.rcvSaddr)),
          port: rows.u32(row, this.#num),
        };
      },
      remote: (row) => {
        const place = addresses(row);
        // the remote port lies in network byte order, the local one in the host's
        const dport = rows.slice(row, this.#dport);
        return {
          address: addressText(place.rows.slice(row, place.daddr)),
          port: ((dport[0] as number) << 8) | (dport[1] as number),
        };
      },
      parts: (row) => {
        const sk = socks[row] as bigint;
        const part = (what: string, field: Field, place = { rows, base: sk }) => ({
          what,
          address: place.base + BigInt(field.offset),
          bytes: place.rows.slice(row, field),
        });
        const place = addresses(row);
        return [
          part('its family', this.#family),
          part('its state', this.#state),
          ...(pinet6 && place.rows === pinfo ? [part('its IPv6 part', pinet6)] : []),
          part("its peer's address", place.daddr, place),
          part("its peer's port", this.#dport),
          part('its own address', place.rcvSaddr, place),
          part('its own port', this.#num),
        ];
      },
    };
  }
}

/**
 * The ends of many sockets; rows are those of the addresses that were given. Only of established ones is anything told.
 */
export interface Ends {
  isEstablished(row: number): boolean;
  local(row: number): Endpoint;
  remote(row: number): Endpoint;
  /** Every member that names the socket, as it lies in memory. */
  parts(row: number): EndPart[];
}

interface Addresses {
  readonly daddr: Field;
  readonly rcvSaddr: Field;
}

/** Where the addresses of one row's family lie. */
interface Place extends Addresses {
  readonly rows: Column;
  /** Address of the structure that holds them. */
  readonly base: bigint;
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  }
  return canonicalAddress(groups.join(':'));
}
