import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Report } from './report.js';
import type { Throughput } from './traffic.js';

/** Draws `timeline.svg` from the `report.json` and `throughput.json` in a directory. */
export async function drawTimeline(directory: string): Promise<string> {
  const report = JSON.parse(await readFile(path.join(directory, 'report.json'), 'utf8')) as Report;
  const points = JSON.parse(await readFile(path.join(directory, 'throughput.json'), 'utf8')) as Throughput[];
  const view = new View(parse(compile(timeline(report, points)).spec), { renderer: 'none' });
  const file = path.join(directory, 'timeline.svg');
  await writeFile(file, await view.toSVG());
  view.finalize();
  return file;
}

function timeline(report: Report, points: readonly Throughput[]): TopLevelSpec {
  const top = Math.max(1, ...points.map(({ mbit }) => mbit));
  const times = points.map(({ seconds }) => seconds);
  // A label beside a switch late in the picture would leave it on the right.
  const middle = (Math.min(...times) + Math.max(...times)) / 2;
  // The headroom keeps the labels off the lines.
  const scale = { domain: [0, top * 1.25], nice: false };
  const x = { field: 'seconds', type: 'quantitative', title: 'time since the start (s)' } as const;
  const switches = report.switches.map((one, index) => ({
    seconds: one.committedMs / 1000,
    mbit: top * (index % 2 === 0 ? 1.2 : 1.1),
    label: one.by === 'file' ? `file saved: ${one.to}` : `subflowd primary: ${one.to}`,
  }));
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    width: 1100,
    height: 460,
    padding: 20,
    background: 'white',
    title: {
      text: 'One download, moved twice: the tunnel’s throughput on each path',
      subtitle: `OpenVPN ${report.openvpn}, Linux ${report.kernel}, ${report.backend}: ${report.writes}`,
      anchor: 'start',
      fontSize: 24,
      subtitleFontSize: 16,
      subtitlePadding: 8,
      offset: 16,
    },
    config: {
      font: 'DejaVu Sans, Arial, sans-serif',
      axis: { labelFontSize: 16, titleFontSize: 18, titlePadding: 12, gridColor: '#e4e4e4' },
      legend: { orient: 'bottom', labelFontSize: 18, titleFontSize: 18, symbolSize: 300 },
      view: { stroke: null },
    },
    layer: [
      {
        data: { values: [...points] },
        mark: { type: 'area', line: { strokeWidth: 3 }, opacity: 0.3, interpolate: 'step' },
        encoding: {
          x,
          y: { field: 'mbit', type: 'quantitative', title: 'TCP payload (Mbit/s)', stack: null, scale },
          color: {
            field: 'path',
            type: 'nominal',
            title: 'path',
            sort: report.paths.map(({ name }) => name),
            scale: { range: ['#0072b2', '#d55e00', '#009e73', '#cc79a7'] },
          },
        },
      },
      {
        data: { values: switches },
        mark: { type: 'rule', strokeDash: [6, 4], strokeWidth: 2, color: '#333333' },
        encoding: { x },
      },
      {
        data: { values: switches },
        mark: {
          type: 'text',
          align: { expr: `datum.seconds > ${middle} ? 'right' : 'left'` },
          dx: { expr: `datum.seconds > ${middle} ? -8 : 8` },
          fontSize: 17,
          color: '#333333',
        },
        encoding: { x, y: { field: 'mbit', type: 'quantitative', scale }, text: { field: 'label' } },
      },
    ],
  };
}
