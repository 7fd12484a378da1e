/** Longest pause between two observations of a server with sessions, milliseconds, however large the server is. */
const LONGEST_MS = 60_000;

/**
 * Pauses between two rounds, as multiples of the time that a round takes. So a round of a large server takes a small part
 * of a core: 9 % after a change, 5 % while polling.
 *
 * - `afterChange`: in the first seconds after a change. Subflows come in the first moments of a connection.
 * - `polling`: the backend does not report changes, or a mode decides by rates, which only an observation measures.
 * - `withEvents`: the backend reports changes, and a status command observes anyway.
 *
 * No kernel reports a priority that another program set; only an observation finds it. LONGEST_MS bounds the time until
 * then: without it, `withEvents` would observe a server of 10,000 sessions every few minutes.
 */
export const PAUSES = {
  afterChange: { factor: 10, longestMs: LONGEST_MS },
  polling: { factor: 20, longestMs: LONGEST_MS },
  withEvents: { factor: 4000, longestMs: LONGEST_MS },
} as const;
