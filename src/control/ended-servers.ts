/**
 * Milliseconds for which a process that has ended is not reported. OpenVPN that is started again has another PID, and its
 * management interface or its hooks report that a moment later.
 */
const REPORTED_AFTER_MS = 2000;

/** Reports processes of servers that have ended, if they stay in the list of servers. */
export class EndedServers {
  /** By PID: since when, milliseconds of a monotonic clock. */
  #since = new Map<number, number>();

  /**
   * One observation.
   * @param ended by PID: what to report of each process that has ended.
   * @returns what to report now.
   */
  update(ended: ReadonlyMap<number, string>, now: number): readonly string[] {
    this.#since = new Map([...ended.keys()].map((pid) => [pid, this.#since.get(pid) ?? now]));
    return [...ended]
      .filter(([pid]) => now - (this.#since.get(pid) ?? now) >= REPORTED_AFTER_MS)
      .map(([, text]) => text);
  }
}
