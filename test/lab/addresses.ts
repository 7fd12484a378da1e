/** IPv4 and IPv6 of one host on one network. */
export interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

/** One of the lab's networks: a /24 and a /64, numbered alike. */
export interface Subnet {
  /** Third byte of 192.168.N.0/24 and second group of fd00:N::/64. */
  readonly number: number;
}

/** The address of the host with this number: `192.168.100.2`, `fd00:100::2`. */
export function hostOn({ number }: Subnet, host: number): Addresses {
  return { v4: `192.168.${number}.${host}`, v6: `fd00:${number}::${host}` };
}

export function prefixOf({ number }: Subnet): Addresses {
  return { v4: `192.168.${number}.0/24`, v6: `fd00:${number}::/64` };
}
