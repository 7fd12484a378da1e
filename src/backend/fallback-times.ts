import type { PlainPeer } from '../model/connection.js';
import { formatEndpoint } from '../model/endpoint.js';

/**
 * Remembers when each connection was first observed to have fallen back to plain TCP. A fallback is final, and the kernel keeps
 * no time of it.
 */
export class FallbackTimes {
  /** By PID of the server, then by the client's endpoint: Unix time, milliseconds. */
  readonly #byPid = new Map<number, ReadonlyMap<string, number>>();

  /** @param now Unix time, milliseconds. Tests replace it. */
  constructor(private readonly now: () => number = Date.now) {}

  /**
   * Adds `fellBackSince` to the peers that fell back. Forgets those that are not in the list any more.
   * @param plain all peers without MPTCP that the last observation of a server showed.
   */
  addTo(pid: number, plain: readonly PlainPeer[]): readonly PlainPeer[] {
    if (!plain.some(({ fellBack }) => fellBack)) {
      this.#byPid.delete(pid);
      return plain;
    }
    const before = this.#byPid.get(pid);
    const times = new Map<string, number>();
    const timed = plain.map((peer): PlainPeer => {
      if (!peer.fellBack) return peer;
      const key = formatEndpoint(peer.remote);
      const since = before?.get(key) ?? this.now();
      times.set(key, since);
      return { ...peer, fellBackSince: since };
    });
    this.#byPid.set(pid, times);
    return timed;
  }

  /** Forgets the connections of all other servers. @param pids of the servers that run. */
  keepOnly(pids: readonly number[]): void {
    for (const pid of this.#byPid.keys()) if (!pids.includes(pid)) this.#byPid.delete(pid);
  }
}
