/** A rate in each direction, bit/s. `down` is what the client receives. */
export interface Rate {
  readonly down: number;
  readonly up: number;
}

/** 0 bit/s in both directions. */
export const NO_RATE: Rate = { down: 0, up: 0 };

/** Highest rate, bit/s. Higher ones are reduced to it, so that sums stay finite. */
const HIGHEST = 1e15;

/** Makes a rate by calling a function for each direction. */
export function mapRate(of: (direction: 'down' | 'up') => number): Rate {
  return { down: of('down'), up: of('up') };
}

/** The sum of each direction. */
export function addRate(a: Rate, b: Rate): Rate {
  return { down: a.down + b.down, up: a.up + b.up };
}

/** The higher rate of each direction. */
export function maxRate(a: Rate, b: Rate): Rate {
  return { down: Math.max(a.down, b.down), up: Math.max(a.up, b.up) };
}

/** The lower rate of each direction. */
export function minRate(a: Rate, b: Rate): Rate {
  return { down: Math.min(a.down, b.down), up: Math.min(a.up, b.up) };
}

/** Limits each direction of a rate to 0 to 1 Pbit/s. NaN becomes 0. */
export function clampRate(rate: Rate): Rate {
  return mapRate((direction) => (rate[direction] > 0 ? Math.min(rate[direction], HIGHEST) : 0));
}

const UNITS: readonly (readonly [string, number])[] = [
  ['Gbit/s', 1e9],
  ['Mbit/s', 1e6],
  ['kbit/s', 1e3],
  ['bit/s', 1],
];

/** The unit that suits a rate, and its value in bit/s. */
export function unitOf(bitRate: number): readonly [string, number] {
  return UNITS.find(([, each]) => bitRate >= each) ?? ['bit/s', 1];
}

function numberText(number: number): string {
  return number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)));
}

/** `2.7/0.1`: down and up in units of `each` bit/s. */
export function formatBothWays({ down, up }: Rate, each: number): string {
  return `${numberText(down / each)}/${numberText(up / each)}`;
}

/** `2.7/0.1 Mbit/s`: down and up, as the client sees them. */
export function formatRate(rate: Rate): string {
  const [unit, each] = unitOf(Math.max(rate.down, rate.up));
  return `${formatBothWays(rate, each)} ${unit}`;
}
