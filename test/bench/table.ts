import Table from 'cli-table3';
import { isReached, type Figure, type Unit } from './figure.js';
import type { Spread } from './rounds.js';

const NO_COLOURS = { head: [], border: [] };

/** A table for a terminal: one line for each figure, with the ratio and the absolute times. */
export function table(figures: readonly Figure[]): string {
  const lines = new Table({
    head: ['what', 'against', 'where', 'ratio: min, median, max', 'goal', '', 'subflowd', 'the other'],
    style: NO_COLOURS,
  });
  for (const figure of figures) {
    const { name, against, where, ratio, goal, theirs, unit } = figure;
    const reached = isReached(figure);
    lines.push([
      name,
      against,
      where,
      ratio === undefined ? '' : [ratio.min, ratio.median, ratio.max].map(short).join('  '),
      goal === undefined ? '' : `${goal.is} ${goal.value}`,
      reached === undefined ? '' : reached ? 'yes' : 'NO',
      own(figure),
      theirs === undefined ? '' : absolute(theirs, unit),
    ]);
  }
  return lines.toString();
}

/** The same table as Markdown. */
export function markdown(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, against, where, ratio, goal, theirs, unit } = figure;
    const cells = [
      name,
      against,
      where,
      ratio === undefined ? '' : `**${short(ratio.median)}** (${short(ratio.min)} to ${short(ratio.max)})`,
      goal === undefined ? '' : `${goal.is} ${goal.value}${isReached(figure) === true ? '' : ', **missed**'}`,
      `${own(figure)}${theirs === undefined ? '' : ` / ${absolute(theirs, unit)}`}`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| what | against | where | ratio: median (min to max) | goal | subflowd / the other, median |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function own({ ours, percentiles, unit }: Figure): string {
  if (percentiles === undefined) return absolute(ours, unit);
  return `${short(percentiles.p50)} and ${short(percentiles.p99)} ${unit}`;
}

function absolute({ median }: Spread, unit: Unit): string {
  if (unit !== 'ns') return `${short(median)} ${unit}`;
  if (median < 1e3) return `${short(median)} ns`;
  return median < 1e6 ? `${short(median / 1e3)} µs` : `${short(median / 1e6)} ms`;
}

/** Three significant digits. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
