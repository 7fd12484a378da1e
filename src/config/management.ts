import ipaddr from 'ipaddr.js';

import { canonicalAddress } from '../model/endpoint.js';
import { readSocketPath } from './absolute-path.js';
import { ValueError } from './value-error.js';

/** The address of a management interface: the path of a unix socket, or a host and a TCP port. */
export type ManagementAddress =
  { readonly socket: string } | { readonly host: string; readonly port: number };

const HOST_NAME = /^(?=.{1,253}$)[a-z\d_](?:[a-z\d_-]*[a-z\d])?(?:\.[a-z\d_](?:[a-z\d_-]*[a-z\d])?)*\.?$/i;
const FORMS = 'write /PATH, HOST PORT, HOST:PORT or [IPV6]:PORT';

function readHost(text: string): string {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
  if (text.includes(':')) {
    if (ipaddr.IPv6.isValid(text)) return text.includes('%') ? text : canonicalAddress(text);
    throw new ValueError(`\`${text}\` is not an IPv6 address; ${FORMS}`);
  }
  // 256.0.0.1 and 10.1 could be names, but are mistyped addresses
  if (HOST_NAME.test(text) && !/^[\d.]+$/.test(text)) return text;
  throw new ValueError(`\`${text}\` is not a host; ${FORMS}`);
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw new ValueError(`\`${text}\` is not a port; it is a number from 1 to 65535`);
  return port;
}

/**
 * Reads the address of a management interface, also as OpenVPN's own `--management` line writes it
 * (`127.0.0.1 7505`, `/run/openvpn/server.sock unix`).
 * @throws {ValueError}
 */
export function readManagement(text: string): ManagementAddress {
  if (text.startsWith('/')) return { socket: readSocketPath(text.replace(/\s+unix$/, '')) };
  const words = text.split(/\s+/);
  const [first = '', second] = words;
  if (words.length > 2) {
    throw new ValueError(`it has too many words; ${FORMS}; a password file goes into password-file`);
  }
  if (second === 'unix') throw new ValueError(`\`${first}\` is not an absolute path; begin it with /`);
  if (second !== undefined) {
    const host = /^\[(.*)\]$/.exec(first)?.[1] ?? first;
    return { host: readHost(host), port: readPort(second) };
  }
  const [, bracketed, plain = '', port] = /^(?:\[(.*)\]|([^:]*)):([^:]*)$/.exec(first) ?? [];
  if (port === undefined) {
    const why = first.includes(':')
      ? `\`${first}\` does not say where the address ends`
      : `\`${first}\` has no port`;
    throw new ValueError(`${why}; ${FORMS}`);
  }
  return { host: readHost(bracketed ?? plain), port: readPort(port) };
}

/**
 * Reads the TCP address that a console listens on.
 * @throws {ValueError}
 */
export function readListen(text: string): { readonly host: string; readonly port: number } {
  const address = readManagement(text);
  if ('socket' in address)
    throw new ValueError('the key console sets the unix socket; this key is for TCP, so write HOST PORT');
  return address;
}

/** Whether only programs on this host can listen on the address or connect to it. */
export function isLoopback(host: string): boolean {
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === 'loopback';
  return host.toLowerCase() === 'localhost';
}
