import type { Rate } from '../model/rate.js';
import { ValueError } from './value-error.js';

/** The units of rates in bit/s, with the names of tc(8). The prefixes are powers of 1000. */
const RATE_UNITS = new Map([
  ['bit', 1],
  ['kbit', 1e3],
  ['mbit', 1e6],
  ['gbit', 1e9],
  ['tbit', 1e12],
]);
/** Bit/s. OpenVPN's handshake alone needs more than the lowest rate, and no link carries more than the highest. */
const [MIN_RATE, MAX_RATE] = [1e3, 1e12];

/** The units of times in milliseconds. */
const TIME_UNITS = new Map([
  ['ms', 1],
  ['s', 1e3],
  ['min', 6e4],
  ['h', 36e5],
]);

/** A number and the unit after it; undefined if the text is something else. */
function readQuantity(text: string): { readonly number: number; readonly unit: string } | undefined {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)\s*([a-z/%]*)$/i.exec(text.trim()) ?? [];
  return number === undefined ? undefined : { number: Number(number), unit: unit.toLowerCase() };
}

/** What a rate in another spelling was meant to be, such as `20M` or `20 Mbps`; else an empty text. */
function rateHint(text: string): string {
  const [, number, prefix = ''] =
    /^(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt])(?:bps|b|bit\/s|bits?)?$/i.exec(text.trim()) ?? [];
  return number === undefined ? '' : ` (did you mean \`${number}${prefix.toLowerCase()}bit\`?)`;
}

function readOneDirection(text: string): number {
  const { number = 0, unit = '' } = readQuantity(text) ?? {};
  const each = RATE_UNITS.get(unit);
  if (each === undefined) {
    const known = [...RATE_UNITS.keys()].join(', ');
    throw new ValueError(
      `\`${text}\` is not a rate${rateHint(text)}; write a number and its unit (${known}), e.g. 20mbit, or 50mbit/10mbit for down/up`,
    );
  }
  const rate = number * each;
  if (!(rate >= MIN_RATE && rate <= MAX_RATE)) {
    throw new ValueError(`\`${text}\` is not from 1kbit to 1tbit; remove the line if the rate is not known`);
  }
  return rate;
}

/**
 * Reads `20mbit`, or `50mbit/10mbit`: down and up as the client sees them.
 * @returns bit/s, 1e3 to 1e12.
 * @throws {ValueError}
 */
export function readRate(text: string): Rate {
  const [down = '', up = down, ...more] = text.split('/').map((rate) => rate.trim());
  if (more.length > 0) throw new ValueError(`\`${text}\` has more than two directions; write DOWN/UP`);
  return { down: readOneDirection(down), up: readOneDirection(up) };
}

/**
 * Makes a reader of times such as `30s`, `500ms`, `2min` and `1h`.
 * @param least the shortest time that it accepts, milliseconds.
 * @param most the longest time that it accepts, milliseconds.
 * @returns a function from the text to milliseconds, which throws a {@link ValueError}.
 */
export function timeReader(least: number, most: number): (text: string) => number {
  return (text) => {
    const { number = 0, unit = '' } = readQuantity(text) ?? {};
    // `5m` is how most programs write five minutes
    const each = TIME_UNITS.get(unit === 'm' ? 'min' : unit);
    const known = [...TIME_UNITS.keys()].join(', ');
    if (each === undefined) {
      throw new ValueError(`\`${text}\` is not a time; write a number and its unit (${known}), e.g. 10s`);
    }
    const time = number * each;
    if (!(time >= least && time <= most)) {
      throw new ValueError(`\`${text}\` is not from ${timeText(least)} to ${timeText(most)}`);
    }
    return time;
  };
}

function timeText(time: number): string {
  const [unit, each] = [...TIME_UNITS].findLast(([, each]) => time >= each && time % each === 0) ?? ['ms', 1];
  return `${time / each}${unit}`;
}

/**
 * Reads a percentage such as `4%`.
 * @returns a fraction, 0 to 0.5.
 * @throws {ValueError}
 */
export function readPercent(text: string): number {
  const { number = -1, unit = '' } = readQuantity(text) ?? {};
  if (unit !== '%' || !(number >= 0 && number <= 50)) {
    throw new ValueError(`\`${text}\` is not from 0% to 50%`);
  }
  return number / 100;
}

/** Makes a reader of whole numbers from `least` to `most`, up to 99999. It throws a {@link ValueError}. */
export function countReader(least: number, most: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,5}$/.test(text) || Number(text) < least || Number(text) > most) {
      throw new ValueError(`\`${text}\` is not a whole number from ${least} to ${most}`);
    }
    return Number(text);
  };
}

/**
 * Reads `lte 2`: a path, and how much each bit counts on it.
 * @throws {ValueError} if the text is not a name and a number from 0.01 to 100.
 */
export function readCost(text: string): readonly [path: string, cost: number] {
  const [, path, number] = /^(\S+)\s+(\d{1,3}(?:\.\d{1,6})?)$/.exec(text) ?? [];
  const cost = Number(number);
  if (path === undefined || !(cost >= 0.01 && cost <= 100)) {
    throw new ValueError(
      `\`${text}\` is not a path and a number from 0.01 to 100; write for example lte 2, if each bit on lte counts twice`,
    );
  }
  return [path, cost];
}
