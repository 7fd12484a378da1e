import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, checkout } from '../checkout.js';

/** Where Debian has the OpenVPN that the tests run beside the installed one: 2.7. */
export const newerSuite = 'trixie-backports';

/** The path of its program, there or not. */
export function newerOpenvpn(): string {
  return path.join(destination(), 'usr/sbin/openvpn');
}

/**
 * Gets it from Debian's mirror unless the cache has it, and installs nothing. Two at once do no harm: the second waits for
 * the first.
 * @throws {Error} if that fails, with the end of what apt said.
 */
export async function fetchNewerOpenvpn(): Promise<void> {
  if (existsSync(newerOpenvpn())) return;
  mkdirSync(path.dirname(destination()), { recursive: true });
  const script = 'test -e "$2/usr/sbin/openvpn" || bash "$0" "$@"';
  const words = [`${destination()}.lock`, 'sh', '-c', script, recipe(), newerSuite, destination()];
  const { exitCode, all } = await execa('flock', words, { all: true, stdin: 'ignore', reject: false });
  if (exitCode === 0) return;
  const end = all.split('\n').slice(-15).join('\n');
  throw new Error(`OpenVPN of ${newerSuite} is not available here:\n${end}`);
}

function recipe(): string {
  return path.join(checkout, 'test/lab/openvpn/fetch.sh');
}

function destination(): string {
  const hash = createHash('sha256').update(readFileSync(recipe())).digest('hex').slice(0, 16);
  return path.join(cacheDirectory(), 'openvpn', `${newerSuite}-${hash}`);
}
