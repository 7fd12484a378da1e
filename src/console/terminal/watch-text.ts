/** The parts of a line of `mptcp watch` after the time, by its kind, as words for people. */
const SENTENCES: Readonly<Record<string, (fields: readonly string[]) => string | undefined>> = {
  SWITCH: ([from, to, ...client]) =>
    to === undefined ? undefined : `${name(client)}: ${from ? `from ${from} ` : ''}to ${to}`,
  SUBFLOW: ([change, path, remote, ours, peers, ...client]) =>
    peers === undefined
      ? undefined
      : `${name(client)}: subflow ${change?.toLowerCase() ?? ''} on ${path ?? ''}, from ${remote ?? ''}; ` +
        `our priority ${ours ?? ''}, the client's ${peers}`,
  REJOIN: ([paths, ...client]) =>
    `${name(client)}: disconnected while idle, so that it comes back with ${paths ?? ''}`,
};

/** The client is last, because its name can contain commas. */
function name(fields: readonly string[]): string {
  return fields.join(',');
}

/**
 * Makes a sentence with the local time of a line of `mptcp watch`, such as `1795861434,SWITCH,wifi,lte,lab/alice`. A line
 * that it does not know, from a newer daemon, stays as it is.
 */
export function watchText(line: string): string {
  const [time = '', kind = '', ...fields] = line.split(',');
  const sentence = Object.hasOwn(SENTENCES, kind) ? SENTENCES[kind]?.(fields) : undefined;
  if (sentence === undefined || !/^\d{1,12}$/.test(time)) return line;
  return `${localTime(new Date(Number(time) * 1000))} ${sentence}`;
}

/** `2026-11-28 10:24:30`, in the time zone of this process. */
function localTime(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
