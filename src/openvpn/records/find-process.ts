import { NestedProcesses } from './pid-namespaces.js';
import { probeProcess, type ProcessFacts, type ProcessProbe } from './process.js';

/** Shared, so that the servers and the events directories search /proc together. */
const nested = new NestedProcesses();

/**
 * Finds the process that hooks or management report with this PID. If that is not an OpenVPN of this PID namespace, it is searched for
 * among those in namespaces of their own, as in a container.
 * @param searchNested returns the PIDs of those on this host. Tests replace it.
 * @throws {Error} as {@link probeProcess} does.
 */
export function findProcess(
  reported: number,
  searchNested: (reported: number) => readonly number[] = (pid) => nested.find(pid),
  probe: ProcessProbe = probeProcess,
): ProcessFacts {
  const here = attempt(() => probe(reported));
  if ('facts' in here && here.facts.is === 'openvpn') return here.facts;
  const pids = searchNested(reported);
  if (pids.length > 1) return { is: 'ambiguous', pids };
  const [only] = pids;
  const found = only === undefined ? undefined : probe(only);
  if (found?.is === 'openvpn') return { ...found, ...(only !== undefined && { pid: only }) };
  if ('error' in here) throw here.error;
  return here.facts;
}

/** A process here that may not be read, such as the init of a sandbox, must not hide one in another namespace. */
function attempt(probe: () => ProcessFacts): { readonly facts: ProcessFacts } | { readonly error: unknown } {
  try {
    return { facts: probe() };
  } catch (error) {
    return { error };
  }
}

/** The PIDs on this host of processes in PID namespaces of their own, as management showed them. */
export class KnownProcesses {
  /** By reported PID. Several only if several servers have one events directory. */
  readonly #byReported = new Map<number, Set<number>>();

  constructor(private readonly probe: ProcessProbe) {}

  /** @returns whether this was not known. */
  add(reported: number, pid: number): boolean {
    const known = this.#byReported.get(reported) ?? new Set();
    this.#byReported.set(reported, known);
    if (known.has(pid)) return false;
    known.add(pid);
    return true;
  }

  /** As {@link findProcess}, but a process that management showed comes first. Forgets those that ended. */
  find(reported: number): ProcessFacts {
    const known = this.#byReported.get(reported);
    const alive = [...(known ?? [])].flatMap((pid) => {
      const facts = this.probe(pid);
      if (facts.is === 'openvpn') return [{ ...facts, pid }];
      known?.delete(pid);
      return [];
    });
    if (alive.length > 1) return { is: 'ambiguous', pids: alive.map(({ pid }) => pid) };
    if (known?.size === 0) this.#byReported.delete(reported);
    return alive[0] ?? this.probe(reported);
  }
}
