import { canonicalAddress, type Endpoint } from '../model/endpoint.js';
import { BadMessageError } from './frames.js';

/** Members of a message, which may be anything. */
export type Members = Readonly<Record<string, unknown>>;

/** 2^32 - 1 */
const MAX_U32 = 0xffff_ffff;
/** The highest PID that Linux allows (include/linux/threads.h, PID_MAX_LIMIT). */
const MAX_PID = 1 << 22;
/** Addresses that were checked lately: a server's clients have few. */
const MAX_KNOWN_ADDRESSES = 50_000;

function bad(what: string): BadMessageError {
  return new BadMessageError(`a message has a wrong ${what}`);
}

/** @throws {BadMessageError} as every function here, if the value is not what its name says. */
export function readMembers(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(what);
  return value as Members;
}

/** @param most the largest number of items. */
export function readList(value: unknown, what: string, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) throw bad(what);
  return value;
}

/** A whole number from `least` to `most`. */
export function readInteger(value: unknown, what: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) throw bad(what);
  return value;
}

export function readU32(value: unknown, what: string): number {
  return readInteger(value, what, 0, MAX_U32);
}

export function readPid(value: unknown): number {
  return readInteger(value, 'pid', 1, MAX_PID);
}

export function readBoolean(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw bad(what);
  return value;
}

export function readText(value: unknown, what: string, most: number): string {
  if (typeof value !== 'string' || value.length > most) throw bad(what);
  return value;
}

/** One of these words. */
export function readWord<Word extends string>(value: unknown, what: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found === undefined) throw bad(what);
  return found;
}

const known = new Set<string>();

/** The canonical text of an IP address. */
export function readAddress(value: unknown): string {
  // 45: the longest text of an IPv6 address
  const text = readText(value, 'address', 45);
  if (known.has(text)) return text;
  let canonical: string;
  try {
    canonical = canonicalAddress(text);
  } catch {
    throw bad('address');
  }
  if (canonical !== text) throw bad('address');
  if (known.size >= MAX_KNOWN_ADDRESSES) known.clear();
  known.add(text);
  return text;
}

/** An endpoint from its two values. A port can be 0 where the kernel shows a socket that is closing. */
export function readEndpoint(address: unknown, port: unknown): Endpoint {
  return { address: readAddress(address), port: readInteger(port, 'port', 0, 65_535) };
}

/** An endpoint from an object with `address` and `port`. */
export function readEndpointObject(value: unknown): Endpoint {
  const { address, port } = readMembers(value, 'endpoint');
  return readEndpoint(address, port);
}
