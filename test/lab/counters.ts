import { existsSync } from 'node:fs';
import type { Namespace } from './namespace.js';

/**
 * The kernel's counters of one namespace, by their names in `nstat`, such as `MPTcpExtMPPrioTx`. Those of multipath-tcp.org
 * (from v0.91 or v0.92 on) are not in `nstat`; here their names begin with `MptcpNet`. They do not include MP_PRIO.
 */
export type Counters = ReadonlyMap<string, number>;

/** `TcpExt`, `IpExt` and `MPTcpExt` of /proc/net/netstat: pairs of lines, names above values. */
export async function readCounters(namespace: Namespace): Promise<Counters> {
  const { stdout: netstat } = await namespace.run('cat', ['/proc/net/netstat']);
  if (!existsSync(mptcpNet)) return parseCounters(netstat);
  const { stdout: snmp } = await namespace.run('cat', [mptcpNet]);
  return new Map([...parseCounters(netstat), ...parseMptcpNet(snmp)]);
}

const mptcpNet = '/proc/net/mptcp_net/snmp';

/** Parses lines with a name and a value. */
export function parseMptcpNet(text: string): Counters {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(
    lines.flatMap(([name = '', value]) => (value === undefined ? [] : [[`MptcpNet${name}`, Number(value)]])),
  );
}

export function parseCounters(text: string): Counters {
  const lines = text.split('\n').filter((line) => line !== '');
  const counters = new Map<string, number>();
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [prefix = '', ...names] = lines[at]?.split(' ') ?? [];
    const [, ...values] = lines[at + 1]?.split(' ') ?? [];
    for (const [index, name] of names.entries())
      counters.set(prefix.replace(':', '') + name, Number(values[index]));
  }
  return counters;
}

/** By how much a counter rose; 0 if this kernel does not have it. */
export function rise(name: string, before: Counters, after: Counters): number {
  return (after.get(name) ?? 0) - (before.get(name) ?? 0);
}

/**
 * The counters of MPTCP errors that rose, and by how much: fallbacks, resets, mismatches. A change of priority must raise none.
 * Upstream's `NoDSSInWindow` is not an error. Two subflows together can send more than the receiver's window; the kernel drops
 * that and sends it again (protocol.c, mptcp_data_queue_ofo).
 */
export function trouble(before: Counters, after: Counters): Record<string, number> {
  const names = [...after.keys()].filter(
    (name) =>
      /^(MPTcpExt|MptcpNet)/.test(name) &&
      name !== 'MPTcpExtNoDSSInWindow' &&
      /Fallback|MPFail|MPFastclose|Rst|Mismatch|NoDSS|DSSCorruption|ChecksumErr|CsumFail|DSSNo(t|Match)|InfiniteMap/i.test(
        name,
      ),
  );
  return Object.fromEntries(
    names.map((name) => [name, rise(name, before, after)] as const).filter(([, by]) => by !== 0),
  );
}
