/** Longest pause between two looks at a server whose sessions are known, milliseconds, however large it is. */
const LONGEST_MS = 60_000;

/**
 * How seldom a large server is looked at, so that looking takes a small part of a core: after a change; where only looking
 * tells, or rates decide; where the backend tells, and whoever asks is shown a fresh look.
 *
 * No kernel tells of a priority that another program set, so only a look finds it. That is what bounds the last of the
 * three: without the bound, a server of 10,000 sessions would be looked at every few minutes.
 */
export const PAUSES = {
  eager: { times: 10, longest: LONGEST_MS },
  measuring: { times: 20, longest: LONGEST_MS },
  told: { times: 4000, longest: LONGEST_MS },
} as const;
