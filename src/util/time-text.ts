/** Formats a time in UTC, to the second: `2026-01-02 03:04:05 UTC`. @param time Unix time, milliseconds. */
export function timeText(time: number): string {
  return new Date(time)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}
