/** A server, as far as it is needed to decide which server a process is. */
export interface ServerIdentity {
  readonly name: string;
  /** The process; undefined until management has reported it, and after it has ended. */
  readonly pid: number | undefined;
}

/** Which server a process is: this one, one of these candidates, or no server of the config. */
export type Attribution<T extends ServerIdentity> =
  { readonly server: T } | { readonly candidates: readonly T[] } | { readonly isForeign: true };

/**
 * Decides which of the servers with one events directory a process is. It is the server whose management reports this PID.
 * Otherwise it is the only server whose PID is not known.
 */
export function attributeProcess<T extends ServerIdentity>(
  pid: number,
  servers: Iterable<T>,
): Attribution<T> {
  const candidates: T[] = [];
  for (const server of servers) {
    if (server.pid === pid) return { server };
    if (server.pid === undefined) candidates.push(server);
  }
  const [only, ...others] = candidates;
  if (only === undefined) return { isForeign: true };
  return others.length === 0 ? { server: only } : { candidates };
}
