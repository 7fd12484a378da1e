import { existsSync } from 'node:fs';
import type { Namespace } from './namespace.js';

/**
 * The kernel's counters of one namespace, by the names `nstat` gives them: `MPTcpExtMPPrioTx`. Those of multipath-tcp.org
 * (from v0.91 or v0.92 on) lie where `nstat` does not look: `MptcpNetNoDSSInWindow`. They do not count MP_PRIO.
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

/** A name and a value per line. */
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

/** What a counter rose by; 0 for one that this kernel does not have. */
export function rise(name: string, before: Counters, after: Counters): number {
  return (after.get(name) ?? 0) - (before.get(name) ?? 0);
}

/**
 * Counters of MPTCP that must stay where they are however priorities change, and what each rose by if it did not:
 * fallbacks, resets, mismatches. Upstream's `NoDSSInWindow` is none of these: what two subflows together send beyond the
 * receiver's window, the kernel drops and sends again, whoever switches (protocol.c, mptcp_data_queue_ofo).
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
