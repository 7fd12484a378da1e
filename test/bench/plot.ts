import { writeFile } from 'node:fs/promises';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Growth } from './figure.js';

/** Draws the cost of one session by the number of sessions. A flat line is the goal. */
export async function drawGrowth(file: string, growth: readonly Growth[], kernel: string): Promise<void> {
  const view = new View(parse(compile(picture(growth, kernel)).spec), { renderer: 'none' });
  await writeFile(file, await view.toSVG());
  view.finalize();
}

function picture(growth: readonly Growth[], kernel: string): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    width: 800,
    height: 420,
    padding: 20,
    background: 'white',
    title: {
      text: 'Finding all connections: the cost of each session',
      subtitle: `sessions of 3 subflows; measured on Linux ${kernel}`,
      anchor: 'start',
      fontSize: 24,
      subtitleFontSize: 16,
    },
    config: {
      font: 'DejaVu Sans, Arial, sans-serif',
      axis: { labelFontSize: 16, titleFontSize: 18, gridColor: '#e4e4e4' },
      legend: { orient: 'bottom', labelFontSize: 18, titleFontSize: 18, columns: 2 },
    },
    data: { values: growth.map((one) => ({ ...one, microseconds: one.nsPerSession / 1000 })) },
    mark: { type: 'line', point: { size: 90 }, strokeWidth: 3 },
    encoding: {
      x: { field: 'sessions', type: 'quantitative', scale: { type: 'log' }, title: 'sessions of the server' },
      y: {
        field: 'microseconds',
        type: 'quantitative',
        scale: { type: 'log' },
        title: 'time for each session (µs)',
      },
      color: {
        field: 'series',
        type: 'nominal',
        title: null,
        scale: { range: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#555555'] },
      },
    },
  };
}
