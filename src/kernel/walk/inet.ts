import { canonicalAddress, type Endpoint } from '../../model/endpoint.js';
import type { Gathering } from '../memory/address-space.js';
import { Column } from '../memory/column.js';
import type { Field, Layout } from '../layout/layout.js';
import { Shape, type BitSlot, type Slot } from '../memory/shape.js';

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

/** A member, and where a row holds it. */
interface Part extends Field {
  readonly slot: Slot;
}

interface Addresses {
  readonly daddr: Part;
  readonly rcvSaddr: Part;
}

/**
 * The two ends of many TCP sockets, and, where it is asked for, their protocol. Ports are in `sock_common` since Linux 3.9, IPv6 addresses since
 * 3.13; before, they are in `inet_sock` and in the `ipv6_pinfo` that `inet_sock.pinet6` points to. Rows are those of the
 * sockets that were read last; only of established ones is anything told, and an end that is as it was is the same object.
 */
export class Ends {
  readonly #shape = new Shape();
  readonly #rows: Column;
  readonly #protocol: BitSlot | undefined;
  readonly #family: Part;
  readonly #state: Part;
  readonly #dport: Part;
  readonly #num: Part;
  readonly #v4: Addresses;
  /** Absent on kernels built without IPv6. */
  readonly #v6: Addresses | undefined;
  /** Where the IPv6 addresses lie behind a pointer: that pointer, and what is behind it. */
  readonly #behind: { readonly pinet6: Part; readonly shape: Shape; readonly rows: Column } | undefined;
  #local: (Endpoint | undefined)[] = [];
  #remote: (Endpoint | undefined)[] = [];

  constructor(
    private readonly space: Gathering,
    layout: Layout,
    { protocol = false } = {},
  ) {
    const part = (field: Field, shape = this.#shape): Part => ({ ...field, slot: shape.add(field) });
    const either = (common: string, inet: string) =>
      part(
        layout.has('sock_common', common)
          ? layout.field('sock_common', common)
          : layout.field('inet_sock', inet),
      );
    // it lies far from the ends
    if (protocol) this.#protocol = this.#shape.addBits(layout.bits('sock', 'sk_protocol'));
    this.#family = part(layout.field('sock_common', 'skc_family'));
    this.#state = part(layout.field('sock_common', 'skc_state'));
    this.#dport = either('skc_dport', 'inet_dport');
    this.#num = either('skc_num', 'inet_num');
    this.#v4 = {
      daddr: either('skc_daddr', 'inet_daddr'),
      rcvSaddr: either('skc_rcv_saddr', 'inet_rcv_saddr'),
    };
    if (layout.has('sock_common', 'skc_v6_daddr')) {
      this.#v6 = {
        daddr: part(layout.field('sock_common', 'skc_v6_daddr')),
        rcvSaddr: part(layout.field('sock_common', 'skc_v6_rcv_saddr')),
      };
    } else if (layout.has('inet_sock', 'pinet6') && layout.has('ipv6_pinfo', 'daddr')) {
      const shape = new Shape();
      this.#v6 = {
        daddr: part(layout.field('ipv6_pinfo', 'daddr'), shape),
        rcvSaddr: part(layout.field('ipv6_pinfo', 'rcv_saddr'), shape),
      };
      const pinet6 = part(layout.field('inet_sock', 'pinet6'));
      this.#behind = { pinet6, shape, rows: new Column(shape) };
    }
    this.#rows = new Column(this.#shape);
  }

  /** All these sockets in one pass (two where IPv6 addresses lie behind a pointer). */
  read(socks: BigUint64Array): this {
    this.space.gather(socks, this.#shape, this.#rows);
    if (this.#behind) {
      const { pinet6, shape, rows } = this.#behind;
      const pinfos = this.#rows.pointers(pinet6.slot, socks.length);
      for (let row = 0; row < pinfos.length; row++) if (!this.#isV6(row)) pinfos[row] = 0n;
      this.space.gather(pinfos, shape, rows);
    }
    this.#local.length = this.#remote.length = socks.length;
    for (let row = 0; row < socks.length; row++) {
      if (!this.isSame(row)) this.#local[row] = this.#remote[row] = undefined;
    }
    return this;
  }

  /** Whether the socket is where it was and has the ends that it had, at the last look and now. */
  isSame(row: number): boolean {
    return this.#rows.isSame(row) && (!this.#behind || !this.#isV6(row) || this.#behind.rows.isSame(row));
  }

  isEstablished(row: number): boolean {
    return (
      this.#rows.isRead(row) &&
      (this.#rows.u16(row, this.#family.slot) === AF_INET || this.#isV6(row)) &&
      this.#rows.u8(row, this.#state.slot) === TCP_ESTABLISHED &&
      (!this.#behind || !this.#isV6(row) || this.#behind.rows.isRead(row))
    );
  }

  /** `sk_protocol`, a number of include/uapi/linux/in.h; undefined if it was not asked for. */
  protocol(row: number): number | undefined {
    return this.#protocol && this.#rows.bits(row, this.#protocol);
  }

  local(row: number): Endpoint {
    return (this.#local[row] ??= {
      address: this.#text(row, 'rcvSaddr'),
      port: this.#rows.u16(row, this.#num.slot),
    });
  }

  remote(row: number): Endpoint {
    // the remote port lies in network byte order, the local one in the host's
    const dport = this.#rows.u16(row, this.#dport.slot);
    return (this.#remote[row] ??= {
      address: this.#text(row, 'daddr'),
      port: ((dport & 0xff) << 8) | (dport >>> 8),
    });
  }

  /** Every member that names the socket, as it lies in memory. */
  parts(row: number): EndPart[] {
    const part = (what: string, { slot, offset, size }: Part, rows = this.#rows) => ({
      what,
      address: rows.address(row) + BigInt(offset),
      bytes: rows.slice(row, slot, size),
    });
    const { rows, daddr, rcvSaddr } = this.#addressesOf(row);
    return [
      part('its family', this.#family),
      part('its state', this.#state),
      ...(this.#behind && rows === this.#behind.rows ? [part('its IPv6 part', this.#behind.pinet6)] : []),
      part("its peer's address", daddr, rows),
      part("its peer's port", this.#dport),
      part('its own address', rcvSaddr, rows),
      part('its own port', this.#num),
    ];
  }

  #isV6(row: number): boolean {
    return this.#v6 !== undefined && this.#rows.u16(row, this.#family.slot) === AF_INET6;
  }

  /** Where the addresses of one row's family lie. */
  #addressesOf(row: number): Addresses & { readonly rows: Column } {
    if (!this.#v6 || !this.#isV6(row)) return { rows: this.#rows, ...this.#v4 };
    return { rows: this.#behind?.rows ?? this.#rows, ...this.#v6 };
  }

  #text(row: number, which: keyof Addresses): string {
    const { rows, [which]: part } = this.#addressesOf(row);
    if (part.size === 4) {
      const word = rows.u32(row, part.slot);
      return `${word & 0xff}.${(word >>> 8) & 0xff}.${(word >>> 16) & 0xff}.${word >>> 24}`;
    }
    return v6Text(rows.slice(row, part.slot, part.size));
  }
}

function v6Text(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  }
  return canonicalAddress(groups.join(':'));
}
