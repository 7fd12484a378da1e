/** One packet of a tunnel's TCP subflow, as a line of `tcpdump -n -tt` shows it. */
export interface Packet {
  /** Unix time, milliseconds with a fraction. */
  readonly timeMs: number;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of TCP payload. */
  readonly bytes: number;
  /** The line itself. */
  readonly line: string;
}

const end = String.raw`([0-9a-f.:]+)\.(\d+)`;
const pattern = new RegExp(String.raw`^(\d+\.\d+) .*?\bIP6? ${end} > ${end}: .*?\blength (\d+)$`);

/** @returns nothing for a line that is not a TCP packet. */
export function parsePacket(line: string): Packet | undefined {
  const match = pattern.exec(line);
  if (match === null) return undefined;
  const [, time, source = '', sourcePort, destination = '', destinationPort, bytes] = match;
  return {
    timeMs: Number(time) * 1000,
    source,
    sourcePort: Number(sourcePort),
    destination,
    destinationPort: Number(destinationPort),
    bytes: Number(bytes),
    line,
  };
}

/** What tcpdump says of a packet's MP_PRIO, e.g. `mptcp 3 prio backup`; nothing if it has none. */
export function priorityOption({ line }: Packet): string | undefined {
  return /mptcp \d+ prio[^,\]]*/.exec(line)?.[0];
}
