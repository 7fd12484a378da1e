/** The longest pause between two rounds, milliseconds, however large the server is. */
const MAX_PAUSE_MS = 60_000;

/**
 * Pauses between two rounds, as multiples of the time that a round takes. So the rounds of a large server use a small
 * part of one core: 9 % after a change, 5 % while polling, 0.025 % with events.
 *
 * - `afterChange`: in the first seconds after a change. Subflows come in the first moments of a connection.
 * - `polling`: the backend does not report changes, or a mode decides by rates, which only an observation measures.
 * - `withEvents`: the backend reports changes, and a status command observes anyway.
 *
 * No kernel reports a priority that another program set; only an observation finds it. MAX_PAUSE_MS bounds the time
 * until then: without it, `withEvents` would observe a server of 10,000 sessions every few minutes.
 */
export const PAUSES = {
  afterChange: { factor: 10, longestMs: MAX_PAUSE_MS },
  polling: { factor: 20, longestMs: MAX_PAUSE_MS },
  withEvents: { factor: 4000, longestMs: MAX_PAUSE_MS },
} as const;

/** How long a console waits for a round, milliseconds. Then it shows the last one: a helper can be slow. */
export const SHOWN_WITHIN_MS = 1_000;
