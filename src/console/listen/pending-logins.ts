/** How many connections may be open that have not given the password yet. */
export interface LoginLimits {
  readonly all: number;
  /** From one {@link PendingLogin.source}. */
  readonly perSource: number;
}

/** The limits in use, except in tests. */
export const LOGIN_LIMITS: LoginLimits = { all: 32, perSource: 4 };

/** A connection that has not given the password yet. */
export interface PendingLogin {
  /** Where it comes from: the name of its `Source` (access.ts). */
  readonly source: string;
  /** Ends the connection, to make room for another one. */
  disconnect(reason: string): void;
}

/**
 * The connections that have not given the password yet. A source at its own limit is refused. Any other source is accepted:
 * if there are too many connections, the oldest one of the source with the most connections is disconnected.
 */
export class PendingLogins {
  /** In the order in which they connected. */
  readonly #logins = new Set<PendingLogin>();

  constructor(private readonly limits: LoginLimits = LOGIN_LIMITS) {}

  /** @returns why a connection from this source is refused; undefined if it is not. */
  refusal(source: string): string | undefined {
    const { perSource } = this.limits;
    return this.#count(source) < perSource
      ? undefined
      : `${perSource} connections from ${source} have not given the password yet`;
  }

  /** Adds a connection that was not refused. */
  add(login: PendingLogin): void {
    if (this.#logins.size >= this.limits.all) {
      const oldest = this.#oldestOfLargestSource();
      if (oldest !== undefined) {
        this.#logins.delete(oldest);
        oldest.disconnect('no password was given in time, and others wait');
      }
    }
    this.#logins.add(login);
  }

  /** Removes a connection that has given the password, or has ended. */
  remove(login: PendingLogin): void {
    this.#logins.delete(login);
  }

  #count(source: string): number {
    return [...this.#logins].filter((each) => each.source === source).length;
  }

  #oldestOfLargestSource(): PendingLogin | undefined {
    const counts = new Map<string, number>();
    for (const { source } of this.#logins) counts.set(source, (counts.get(source) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return [...this.#logins].find(({ source }) => counts.get(source) === most);
  }
}
