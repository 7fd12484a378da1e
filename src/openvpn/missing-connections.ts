import { clientKey, type AnySession } from '../model/session.js';

/** How long the kernel must show no connection, milliseconds: a look can miss one that is just being made. */
export const GONE_MS = 5_000;
/** OpenVPN may not have noticed yet: when it is asked again, milliseconds after the kernel showed it. */
const ASK_AT_MS = [0, 1_000, 3_000];

/** What follows from sessions of whom the kernel shows no connection. */
export interface MissingResult {
  /** OpenVPN is to be asked who is there. */
  readonly mustAskOpenvpn: boolean;
  /** These are gone for {@link GONE_MS}. */
  readonly gone: readonly AnySession[];
  /** Milliseconds until it is to be looked again; undefined where that changes nothing. */
  readonly observeInMs: number | undefined;
}

/** For how long the kernel has shown no connection of sessions that OpenVPN tells of. */
export class MissingConnections {
  readonly #since = new Map<string, { readonly at: number; asked: number }>();

  /**
   * Takes what the last look found.
   * @param sessions those without a connection; who is not among them has one, or could not be looked for.
   * @param now `performance.now()`.
   */
  update(sessions: readonly AnySession[], now: number): MissingResult {
    const keys = new Map(sessions.map((session) => [keyOf(session), session]));
    for (const key of this.#since.keys()) if (!keys.has(key)) this.#since.delete(key);
    const gone: AnySession[] = [];
    let ask = false;
    let lookIn: number | undefined;
    for (const [key, session] of keys) {
      const known = this.#since.get(key) ?? { at: now, asked: 0 };
      this.#since.set(key, known);
      const age = now - known.at;
      if (age >= (ASK_AT_MS[known.asked] ?? Infinity)) {
        known.asked += 1;
        ask = true;
      }
      if (age >= GONE_MS) gone.push(session);
      else lookIn = Math.min((ASK_AT_MS[known.asked] ?? GONE_MS) - age, lookIn ?? Infinity);
    }
    return { mustAskOpenvpn: ask, gone, observeInMs: lookIn };
  }
}

function keyOf(session: AnySession): string {
  const who = 'real' in session ? clientKey(session) : session.address;
  return `${session.pid} ${who} ${session.cid ?? ''} ${session.since ?? ''}`;
}
