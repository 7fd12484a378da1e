import { fullness, type PathLoad } from '../steering/measure/path-load.js';
import type { Rate } from '../model/rate.js';

const UNITS: readonly (readonly [string, number])[] = [
  ['Gbit/s', 1e9],
  ['Mbit/s', 1e6],
  ['kbit/s', 1e3],
  ['bit/s', 1],
];

function unitOf(most: number): readonly [string, number] {
  return UNITS.find(([, each]) => most >= each) ?? ['bit/s', 1];
}

function numberText(number: number): string {
  return number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)));
}

function ways({ down, up }: Rate, each: number): string {
  return `${numberText(down / each)}/${numberText(up / each)}`;
}

/** `2.7/0.1 Mbit/s`: down and up as the client sees them. */
export function rateText(rate: Rate): string {
  const [unit, each] = unitOf(Math.max(rate.down, rate.up));
  return `${ways(rate, each)} ${unit}`;
}

/** `84 %` */
export function fullText(full: number): string {
  return `${(full * 100).toFixed(0)} %`;
}

/** What a path carries against what it can. */
export function loadText(load: PathLoad): string {
  const { carried, capacity, isLearnt, foreign, isCongested } = load;
  const full = fullness(load);
  const state = isCongested ? ', congested' : '';
  if (!capacity || full === undefined) return `carries ${rateText(carried)}, capacity not known yet${state}`;
  const [unit, each] = unitOf(Math.max(capacity.down, capacity.up));
  const learnt = isLearnt ? ' (learnt)' : '';
  const others = foreign.down + foreign.up > 0 ? `, others and headers ${ways(foreign, each)}` : '';
  return `carries ${ways(carried, each)}${others} of ${ways(capacity, each)} ${unit}${learnt}, ${fullText(full)} full${state}`;
}
