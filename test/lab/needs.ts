import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach } from 'vitest';
import { kernelSource, kernelVersions } from './kernel.js';
import { mptcpFamily } from './mptcp.js';
import { openvpnProgram } from './openvpn-program.js';

const checks = {
  root: () => (process.getuid?.() === 0 ? undefined : 'only root can create network namespaces'),
  mptcp: () =>
    mptcpFamily() === 'multipath-tcp.org' || readOr('/proc/sys/net/mptcp/enabled', '0').trim() === '1'
      ? undefined
      : 'this kernel has no MPTCP (sysctl net.mptcp.enabled)',
  tun: () => (existsSync('/dev/net/tun') ? undefined : 'this kernel has no TUN (/dev/net/tun)'),
  openvpn: () => program(openvpnProgram) ?? program('mptcpize') ?? program('tcpdump') ?? program('openssl'),
  strace: () => program('strace'),
  nft: () => program('nft'),
  nspawn: () => program('systemd-nspawn') ?? program('pgrep'),
  guest: () =>
    program('qemu-system-x86_64') ??
    program('gcc') ??
    kernelVersions
      .filter((version) => !existsSync(kernelSource(version)))
      .map((version) => `linux-source-${version} is not installed`)[0],
};

/** What a test can need of the machine. */
export type Need = keyof typeof checks;

/** Everything that the lab's network needs. */
export const networkNeeds: readonly Need[] = ['root', 'mptcp', 'tun', 'openvpn'];

/** @returns why this machine cannot run a test with these needs; undefined if it can. */
export function lacking(...needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    const why = checks[need]();
    if (why !== undefined) return why;
  }
  return undefined;
}

/**
 * Call it in a `describe` or at the top of a file. The tests in it are skipped, with the reason, if the machine lacks something.
 * If CI is set, they fail.
 */
export function needs(...what: readonly Need[]): void {
  beforeEach((context) => {
    const why = lacking(...what);
    if (why === undefined) return;
    if (process.env.CI !== undefined) throw new Error(`this test cannot run here: ${why}`);
    context.skip(why);
  });
}

function program(name: string): string | undefined {
  const directories = path.isAbsolute(name) ? [''] : (process.env.PATH ?? '').split(':');
  const found = directories.some((directory) => {
    try {
      accessSync(path.join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? undefined : `${name} is not installed`;
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}
