import ipaddr from 'ipaddr.js';

import { ValueError } from './value-error.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A network of client addresses. */
export interface Prefix {
  /** Canonical CIDR text, e.g. `192.168.100.0/24`, `2001:db8::/32`. */
  readonly text: string;
  readonly address: Address;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly bits: number;
}

/** Reads an IPv4 address of four decimal parts, or an IPv6 address without a zone; undefined for anything else. */
export function readAddress(text: string): Address | undefined {
  // ipaddr.js also reads 10.1, 0x0a000001 and 012.0.0.1, which are mistakes in a config
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text)) return ipaddr.IPv6.parse(text);
  return undefined;
}

function masked(address: Address, bits: number): Address {
  const bytes = address.toByteArray().map((byte, index) => {
    const keptBits = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff00 >> keptBits) & 0xff;
  });
  return ipaddr.fromByteArray(bytes);
}

/** The length of a netmask such as `255.255.255.0`, 0 to 32; undefined for any other text. */
function maskLength(text: string): number | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return ipaddr.IPv4.parse(text).prefixLengthFromSubnetMask() ?? undefined;
}

/**
 * Reads a network in CIDR notation. A v4-mapped network (`::ffff:192.0.2.0/120`) becomes the IPv4 one, as a
 * subflow's address does.
 * @throws {ValueError} if the text is not a network, or is an address inside one (host bits set).
 */
export function readPrefix(text: string): Prefix {
  const [, addressText = text, bitsText] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  const written = readAddress(addressText);
  if (!written) {
    throw new ValueError(`\`${text}\` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32`);
  }
  const width = written.kind() === 'ipv4' ? 32 : 128;
  if (bitsText === undefined) {
    throw new ValueError(
      `\`${text}\` has no length; write ${text}/${width} for this one address, or the network's own length`,
    );
  }
  const masked32 = maskLength(bitsText);
  if (masked32 !== undefined && width === 32)
    throw new ValueError(`\`${text}\` has a netmask; did you mean \`${addressText}/${masked32}\`?`);
  const bitsWritten = /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : Number.NaN;
  if (!(bitsWritten <= width)) {
    throw new ValueError(`\`${text}\` needs a length from 0 to ${width} after the /`);
  }
  const mapped = written instanceof ipaddr.IPv6 && written.isIPv4MappedAddress() && bitsWritten >= 96;
  const address = mapped ? written.toIPv4Address() : written;
  const bits = mapped ? bitsWritten - 96 : bitsWritten;
  const network = masked(address, bits);
  const canonical = `${network.toString()}/${bits}`;
  if (network.toString() !== address.toString()) {
    throw new ValueError(`\`${text}\` is an address inside a network; did you mean \`${canonical}\`?`);
  }
  return { text: canonical, address: network, bits };
}

/** Whether every address of `inner` is also in `outer`. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.address.kind() !== inner.address.kind() || outer.bits > inner.bits) return false;
  return masked(inner.address, outer.bits).toString() === outer.address.toString();
}
