/** Bit/s each way, as the client sees it: `down` is what it receives. */
export interface Rate {
  readonly down: number;
  readonly up: number;
}

export const NO_RATE: Rate = { down: 0, up: 0 };

/** Bit/s beyond which nothing is believed: it keeps sums finite. */
const MOST = 1e15;

export function mapRate(of: (way: 'down' | 'up') => number): Rate {
  return { down: of('down'), up: of('up') };
}

export function addRate(a: Rate, b: Rate): Rate {
  return { down: a.down + b.down, up: a.up + b.up };
}

export function maxRate(a: Rate, b: Rate): Rate {
  return { down: Math.max(a.down, b.down), up: Math.max(a.up, b.up) };
}

export function minRate(a: Rate, b: Rate): Rate {
  return { down: Math.min(a.down, b.down), up: Math.min(a.up, b.up) };
}

/** A rate to count with: what is no number or below 0 is 0, and what is beyond 1 Pbit/s is 1 Pbit/s. */
export function soundRate(rate: Rate): Rate {
  return mapRate((way) => (rate[way] > 0 ? Math.min(rate[way], MOST) : 0));
}

const UNITS: readonly (readonly [string, number])[] = [
  ['Gbit/s', 1e9],
  ['Mbit/s', 1e6],
  ['kbit/s', 1e3],
  ['bit/s', 1],
];

export function unitOf(most: number): readonly [string, number] {
  return UNITS.find(([, each]) => most >= each) ?? ['bit/s', 1];
}

function numberText(number: number): string {
  return number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)));
}

export function formatBothWays({ down, up }: Rate, each: number): string {
  return `${numberText(down / each)}/${numberText(up / each)}`;
}

/** `2.7/0.1 Mbit/s`: down and up as the client sees them. */
export function formatRate(rate: Rate): string {
  const [unit, each] = unitOf(Math.max(rate.down, rate.up));
  return `${formatBothWays(rate, each)} ${unit}`;
}
