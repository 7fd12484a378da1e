import type { Namespace } from './namespace.js';

/** The kernel's counters of one namespace, by the names `nstat` gives them: `MPTcpExtMPPrioTx`. */
export type Counters = ReadonlyMap<string, number>;

/** `TcpExt`, `IpExt` and `MPTcpExt` of /proc/net/netstat: pairs of lines, names above values. */
export async function readCounters(namespace: Namespace): Promise<Counters> {
  const { stdout } = await namespace.run('cat', ['/proc/net/netstat']);
  return parseCounters(stdout);
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

/** Counters of MPTCP that must stay where they are however priorities change, and what each rose by if it did not. */
export function trouble(before: Counters, after: Counters): Record<string, number> {
  const names = [...after.keys()].filter(
    (name) =>
      name.startsWith('MPTcpExt') &&
      /Fallback|MPFail|MPFastclose|Rst|Mismatch|NoDSS|DSSCorruption|ChecksumErr|DSSNotMatching|InfiniteMap/i.test(
        name,
      ),
  );
  return Object.fromEntries(
    names.map((name) => [name, rise(name, before, after)] as const).filter(([, by]) => by !== 0),
  );
}
