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
