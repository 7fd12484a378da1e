import ipaddr from 'ipaddr.js';

import { canonicalAddress } from '../model/endpoint.js';
import { readSocketPath } from './socket-path.js';
import { ValueError } from './value-error.js';

/** Where a management interface listens. */
export type ManagementAddress =
  { readonly socket: string } | { readonly host: string; readonly port: number };

const HOST_NAME = /^(?=.{1,253}$)[a-z\d_](?:[a-z\d_-]*[a-z\d])?(?:\.[a-z\d_](?:[a-z\d_-]*[a-z\d])?)*\.?$/i;
const FORMS = 'write /PATH, HOST PORT, HOST:PORT or [IPV6]:PORT';

function readHost(text: string): string {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
  if (text.includes(':')) {
    if (ipaddr.IPv6.isValid(text)) return text.includes('%') ? text : canonicalAddress(text);
    throw new ValueError(`\`${text}\` is no IPv6 address; ${FORMS}`);
  }
  // 256.0.0.1 or 10.1 would pass as names, but are addresses gone wrong
  if (HOST_NAME.test(text) && !/^[\d.]+$/.test(text)) return text;
  throw new ValueError(`\`${text}\` is no host; ${FORMS}`);
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw new ValueError(`\`${text}\` is no port; it is a number from 1 to 65535`);
  return port;
}

/**
 * Reads where a management interface listens, also in the words of OpenVPN's own `--management` line
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
  if (second === 'unix') throw new ValueError(`\`${first}\` is no absolute path; write it from /`);
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
 * Reads where a console listens on TCP: an address, as a name could be any.
 * @throws {ValueError}
 */
export function readListen(text: string): { readonly host: string; readonly port: number } {
  const address = readManagement(text);
  if ('socket' in address)
    throw new ValueError('the unix socket is set by console; this is for TCP: HOST PORT');
  return address;
}

/** Whether only programs on this host can listen or connect there. */
export function isLoopback(host: string): boolean {
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === 'loopback';
  return host.toLowerCase() === 'localhost';
}
