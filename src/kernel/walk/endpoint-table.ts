import { canonicalAddress, type Endpoint } from '../../model/endpoint.js';
import type { Field, Layout } from '../layout/layout.js';
import type { Gatherer } from '../memory/address-space.js';
import { FieldSelection, type BitSlot, type Slot } from '../memory/field-selection.js';
import { FieldTable } from '../memory/field-table.js';

// include/linux/socket.h
const AF_INET = 2;
const AF_INET6 = 10;
// include/net/tcp_states.h
const TCP_ESTABLISHED = 1;

/** A member of a socket that is part of its four-tuple or state, as it lies in memory. It becomes a guard. */
export interface EndpointField {
  /** Its name in messages for the admin. */
  readonly what: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** A member, and where a row has it. */
interface Member extends Field {
  readonly slot: Slot;
}

interface Addresses {
  readonly daddr: Member;
  readonly rcvSaddr: Member;
}

/**
 * The local and remote endpoints of many TCP sockets, and optionally their protocols. Ports are in `sock_common` since
 * Linux 3.9, and IPv6 addresses since 3.13. Older kernels have them in `inet_sock`, and in the `ipv6_pinfo` to which
 * `inet_sock.pinet6` points. The endpoints of a socket that did not change are the same objects as after the last read.
 */
export class EndpointTable {
  readonly #selection = new FieldSelection();
  readonly #sockets: FieldTable;
  readonly #protocol: BitSlot | undefined;
  readonly #family: Member;
  readonly #state: Member;
  readonly #dport: Member;
  readonly #num: Member;
  readonly #v4: Addresses;
  /** Undefined if the kernel was built without IPv6. */
  readonly #v6: Addresses | undefined;
  /** Only where the IPv6 addresses are in `ipv6_pinfo`. */
  readonly #pinfo:
    { readonly pinet6: Member; readonly selection: FieldSelection; readonly table: FieldTable } | undefined;
  #local: (Endpoint | undefined)[] = [];
  #remote: (Endpoint | undefined)[] = [];

  /** @param protocol whether to read `sk_protocol`, which is in another cache line than the rest. */
  constructor(
    private readonly space: Gatherer,
    layout: Layout,
    { protocol = false } = {},
  ) {
    const member = (field: Field, selection = this.#selection): Member => ({
      ...field,
      slot: selection.add(field),
    });
    const either = (common: string, inet: string) =>
      member(
        layout.has('sock_common', common)
          ? layout.field('sock_common', common)
          : layout.field('inet_sock', inet),
      );
    if (protocol) this.#protocol = this.#selection.addBits(layout.bits('sock', 'sk_protocol'));
    this.#family = member(layout.field('sock_common', 'skc_family'));
    this.#state = member(layout.field('sock_common', 'skc_state'));
    this.#dport = either('skc_dport', 'inet_dport');
    this.#num = either('skc_num', 'inet_num');
    this.#v4 = {
      daddr: either('skc_daddr', 'inet_daddr'),
      rcvSaddr: either('skc_rcv_saddr', 'inet_rcv_saddr'),
    };
    if (layout.has('sock_common', 'skc_v6_daddr')) {
      this.#v6 = {
        daddr: member(layout.field('sock_common', 'skc_v6_daddr')),
        rcvSaddr: member(layout.field('sock_common', 'skc_v6_rcv_saddr')),
      };
    } else if (layout.has('inet_sock', 'pinet6') && layout.has('ipv6_pinfo', 'daddr')) {
      const selection = new FieldSelection();
      this.#v6 = {
        daddr: member(layout.field('ipv6_pinfo', 'daddr'), selection),
        rcvSaddr: member(layout.field('ipv6_pinfo', 'rcv_saddr'), selection),
      };
      const pinet6 = member(layout.field('inet_sock', 'pinet6'));
      this.#pinfo = { pinet6, selection, table: new FieldTable(selection) };
    }
    this.#sockets = new FieldTable(this.#selection);
  }

  /** Reads these sockets in one native call, or in two if the IPv6 addresses are in `ipv6_pinfo`. */
  read(socks: BigUint64Array): this {
    this.space.gather(socks, this.#selection, this.#sockets);
    if (this.#pinfo) {
      const { pinet6, selection, table } = this.#pinfo;
      const pinfos = this.#sockets.pointers(pinet6.slot, socks.length);
      for (let row = 0; row < pinfos.length; row++) if (!this.#isV6(row)) pinfos[row] = 0n;
      this.space.gather(pinfos, selection, table);
    }
    this.#local.length = this.#remote.length = socks.length;
    for (let row = 0; row < socks.length; row++) {
      if (!this.isUnchanged(row)) this.#local[row] = this.#remote[row] = undefined;
    }
    return this;
  }

  /** Whether a row has the same socket, with the same endpoints and state, as after the last read. */
  isUnchanged(row: number): boolean {
    return (
      this.#sockets.isUnchanged(row) &&
      (!this.#pinfo || !this.#isV6(row) || this.#pinfo.table.isUnchanged(row))
    );
  }

  /** Whether the socket is an established TCP socket. The endpoints of other sockets must not be used. */
  isEstablished(row: number): boolean {
    return (
      this.#sockets.isRead(row) &&
      (this.#sockets.u16(row, this.#family.slot) === AF_INET || this.#isV6(row)) &&
      this.#sockets.u8(row, this.#state.slot) === TCP_ESTABLISHED &&
      (!this.#pinfo || !this.#isV6(row) || this.#pinfo.table.isRead(row))
    );
  }

  /** `sk_protocol`, a number of include/uapi/linux/in.h; undefined if it was not requested. */
  protocol(row: number): number | undefined {
    return this.#protocol && this.#sockets.bits(row, this.#protocol);
  }

  local(row: number): Endpoint {
    return (this.#local[row] ??= {
      address: this.#addressText(row, 'rcvSaddr'),
      port: this.#sockets.u16(row, this.#num.slot),
    });
  }

  remote(row: number): Endpoint {
    // The remote port is in network byte order, the local one in host byte order.
    const dport = this.#sockets.u16(row, this.#dport.slot);
    return (this.#remote[row] ??= {
      address: this.#addressText(row, 'daddr'),
      port: ((dport & 0xff) << 8) | (dport >>> 8),
    });
  }

  /** Every member that identifies the connection of a socket, for the guards. */
  identifyingFields(row: number): EndpointField[] {
    const field = (what: string, { slot, offset, size }: Member, table = this.#sockets) => ({
      what,
      address: table.address(row) + BigInt(offset),
      bytes: table.bytes(row, slot, size),
    });
    const { table, daddr, rcvSaddr } = this.#addressesOf(row);
    return [
      field('its family', this.#family),
      field('its state', this.#state),
      ...(this.#pinfo && table === this.#pinfo.table ? [field('its ipv6_pinfo', this.#pinfo.pinet6)] : []),
      field('its remote address', daddr, table),
      field('its remote port', this.#dport),
      field('its local address', rcvSaddr, table),
      field('its local port', this.#num),
    ];
  }

  #isV6(row: number): boolean {
    return this.#v6 !== undefined && this.#sockets.u16(row, this.#family.slot) === AF_INET6;
  }

  /** The table and members that have the addresses of a row. */
  #addressesOf(row: number): Addresses & { readonly table: FieldTable } {
    if (!this.#v6 || !this.#isV6(row)) return { table: this.#sockets, ...this.#v4 };
    return { table: this.#pinfo?.table ?? this.#sockets, ...this.#v6 };
  }

  #addressText(row: number, which: keyof Addresses): string {
    const { table, [which]: member } = this.#addressesOf(row);
    if (member.size === 4) {
      const word = table.u32(row, member.slot);
      return `${word & 0xff}.${(word >>> 8) & 0xff}.${(word >>> 16) & 0xff}.${word >>> 24}`;
    }
    return v6Text(table.bytes(row, member.slot, member.size));
  }
}

function v6Text(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  }
  return canonicalAddress(groups.join(':'));
}
