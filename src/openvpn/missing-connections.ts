import { clientKey, type AnySession } from '../model/session.js';

/**
 * A session is gone when the kernel has shown no connection of it for this many milliseconds. One observation is not
 * enough: it can miss a connection that is being made.
 */
export const GONE_MS = 5_000;
/**
 * When to ask OpenVPN about such a session, in milliseconds after the connection was first missing. It asks again because
 * OpenVPN may notice the disconnect later than the kernel.
 */
const ASK_AT_MS = [0, 1_000, 3_000];

/** What to do about sessions without a connection. */
export interface MissingResult {
  /** Ask OpenVPN which clients are connected. */
  readonly mustAskOpenvpn: boolean;
  /** Sessions without a connection for {@link GONE_MS}. */
  readonly gone: readonly AnySession[];
  /** Milliseconds until the kernel should be observed again; undefined if that would change nothing. */
  readonly observeInMs: number | undefined;
}

/** Measures for how long the kernel has shown no connection of sessions that OpenVPN reports. */
export class MissingConnections {
  /** By session: since when its connection is missing (`performance.now()`), and how often OpenVPN was asked about it. */
  readonly #since = new Map<string, { readonly at: number; asked: number }>();

  /**
   * Takes the result of an observation.
   * @param sessions the sessions without a connection, except those that could not be observed.
   * @param now `performance.now()`.
   */
  update(sessions: readonly AnySession[], now: number): MissingResult {
    const keys = new Map(sessions.map((session) => [keyOf(session), session]));
    for (const key of this.#since.keys()) if (!keys.has(key)) this.#since.delete(key);
    const gone: AnySession[] = [];
    let mustAskOpenvpn = false;
    let observeInMs: number | undefined;
    for (const [key, session] of keys) {
      const missing = this.#since.get(key) ?? { at: now, asked: 0 };
      this.#since.set(key, missing);
      const age = now - missing.at;
      if (age >= (ASK_AT_MS[missing.asked] ?? Infinity)) {
        missing.asked += 1;
        mustAskOpenvpn = true;
      }
      if (age >= GONE_MS) gone.push(session);
      else observeInMs = Math.min((ASK_AT_MS[missing.asked] ?? GONE_MS) - age, observeInMs ?? Infinity);
    }
    return { mustAskOpenvpn, gone, observeInMs };
  }
}

function keyOf(session: AnySession): string {
  const client = 'real' in session ? clientKey(session) : session.address;
  return `${session.pid} ${client} ${session.cid ?? ''} ${session.since ?? ''}`;
}
