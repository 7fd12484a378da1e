import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { LoadKind } from './load.js';
import type { CrowdReport, RunReport } from './report.js';

/** One picture of the report. */
export interface Plot {
  /** Name of its file, without `.svg`. */
  readonly name: string;
  /** What it shows, and how to read it. */
  readonly caption: string;
  readonly svg: string;
}

type Panel = Record<string, unknown>;

const colors = ['#0072b2', '#d55e00'];
const ink = '#333333';
const loadTitles: Readonly<Record<LoadKind, string>> = {
  constant: 'constant rate',
  changing: 'bursts at random moments',
  downloads: 'downloads of equal size',
};

/** Three pictures per load, each with a panel per run. */
export async function drawPlots(report: CrowdReport): Promise<Plot[]> {
  const kinds = [...new Set(report.runs.map(({ load }) => load))];
  const specs = kinds.flatMap((kind) => {
    const runs = report.runs.filter(({ load }) => load === kind);
    return [loadPlot(report, runs, kind), goodputPlot(report, runs, kind), placementPlot(report, runs, kind)];
  });
  return Promise.all(
    specs.map(async ({ name, caption, spec }) => {
      const view = new View(parse(compile(spec).spec), { renderer: 'none' });
      const svg = await view.toSVG();
      view.finalize();
      return { name, caption, svg };
    }),
  );
}

interface Drawing {
  readonly name: string;
  readonly caption: string;
  readonly spec: TopLevelSpec;
}

function loadPlot(report: CrowdReport, runs: readonly RunReport[], kind: LoadKind): Drawing {
  const top = Math.max(
    ...report.accessPoints.map(({ capacityMbit }) => capacityMbit * 1.1),
    ...runs.flatMap(({ series }) => series.map((one) => Math.max(one.carriedMbit, one.offeredMbit ?? 0))),
  );
  const x = seconds(runs);
  const y = { type: 'quantitative', title: 'Mbit/s', scale: { domain: [0, Math.ceil(top / 5) * 5] } };
  const capacities = [...new Set(report.accessPoints.map(({ capacityMbit }) => capacityMbit))];
  const panels = runs.map((run) =>
    panel(run, 460, 200, [
      {
        data: { values: run.series },
        mark: { type: 'line', strokeWidth: 2.5, opacity: 0.85, interpolate: 'monotone' },
        encoding: { x, y: { ...y, field: 'carriedMbit' }, color: color(report) },
      },
      ...(kind !== 'downloads'
        ? [
            {
              data: { values: run.series },
              mark: { type: 'line', strokeWidth: 2, strokeDash: [2, 3], interpolate: 'monotone' },
              encoding: { x, y: { ...y, field: 'offeredMbit' }, color: color(report) },
            },
          ]
        : []),
      {
        data: { values: capacities.map((mbit) => ({ mbit, label: `capacity: ${mbit} Mbit/s` })) },
        encoding: { y: { ...y, field: 'mbit' } },
        layer: [
          { mark: { type: 'rule', color: ink, strokeWidth: 1.5, strokeDash: [8, 4] } },
          ...[{ stroke: 'white', strokeWidth: 4 }, {}].map((halo) => ({
            mark: {
              type: 'text',
              x: 456,
              align: 'right',
              baseline: 'bottom',
              dy: -3,
              fontSize: 13,
              color: ink,
              ...halo,
            },
            encoding: { text: { field: 'label' } },
          })),
        ],
      },
    ]),
  );
  const shows =
    kind !== 'downloads'
      ? 'Solid: what the access point carried. Dotted: what was sent to its clients.'
      : 'What the access point carried.';
  return {
    name: `load-${kind}`,
    caption: `Load of each access point over time. ${shows}`,
    spec: grid(`Load per access point: ${loadTitles[kind]}`, `${shows} ${place(report)}`, panels, 2),
  };
}

function goodputPlot(report: CrowdReport, runs: readonly RunReport[], kind: LoadKind): Drawing {
  const best = Math.max(...runs.flatMap((run) => run.clients.map(({ goodputMbit }) => goodputMbit)));
  const x = { type: 'quantitative', title: 'goodput (Mbit/s)', scale: { domain: [0, best * 1.05] } };
  const panels = runs.map((run) => {
    const bars = run.clients.flatMap(({ name, goodputMbit, carriedBy }) =>
      report.accessPoints.map((one) => ({
        client: name,
        accessPoint: one.name,
        mbit: goodputMbit * (carriedBy[one.name] ?? 0),
      })),
    );
    return panel(run, 220, 250, [
      {
        data: { values: bars },
        mark: { type: 'bar' },
        encoding: { x: { ...x, field: 'mbit' }, y: clients(run), color: color(report) },
      },
      ...(kind === 'constant'
        ? [
            {
              data: { values: [{ mbit: report.constantMbit }] },
              mark: { type: 'rule', color: ink, strokeWidth: 1.5, strokeDash: [8, 4] },
              encoding: { x: { ...x, field: 'mbit' } },
            },
          ]
        : []),
    ]);
  });
  const shows = `a1 to a10: clients of ISP A, which have both access points. b1, b2: clients of ISP B, which have only its own.${
    kind === 'constant' ? ` Dashed: what was sent to each client, ${report.constantMbit} Mbit/s.` : ''
  }`;
  return {
    name: `goodput-${kind}`,
    caption: `Goodput of each client, by the access points that carried it. ${shows}`,
    spec: grid(`Goodput per client: ${loadTitles[kind]}`, shows, panels, 4),
  };
}

function placementPlot(report: CrowdReport, runs: readonly RunReport[], kind: LoadKind): Drawing {
  const [own, other] = report.accessPoints;
  const x = seconds(runs);
  const panels = runs.map((run) => {
    const cells = run.clients.flatMap(({ name }) => cellsOf(run, name, other?.name ?? ''));
    return panel(run, 460, 200, [
      {
        data: { values: cells },
        mark: { type: 'rect' },
        encoding: {
          x: { ...x, field: 'from' },
          x2: { field: 'to' },
          y: clients(run),
          color: {
            field: 'share',
            type: 'quantitative',
            title: `carried by ${other?.name ?? ''}, the rest by ${own?.name ?? ''}`,
            scale: { domain: [0, 0.5, 1], range: [colors[0], '#f3f0ea', colors[1]], interpolate: 'rgb' },
            legend: { format: '.0%', values: [0, 0.5, 1], gradientLength: 300, direction: 'horizontal' },
          },
        },
      },
      {
        data: { values: run.moves },
        mark: { type: 'tick', color: '#000000', thickness: 3, orient: 'vertical' },
        encoding: { x, y: clients(run) },
      },
    ]);
  });
  const moves = runs.map((run) => `(${run.arrangement}) ${run.moves.length}`).join(', ');
  return {
    name: `moves-${kind}`,
    caption: `Which access point carried each client’s tunnel, over time. Black: subflowd moved the client. Moves: ${moves}.`,
    spec: grid(
      `Which access point carries which client: ${loadTitles[kind]}`,
      `Black ticks: subflowd moved the client. Moves: ${moves}.`,
      panels,
      2,
    ),
  };
}

/** The intervals of one client. Adjacent intervals with the same share are joined. */
function cellsOf(run: RunReport, client: string, accessPoint: string): Cell[] {
  const cells: Cell[] = [];
  for (const one of run.placements) {
    if (one.client !== client || one.carriedBy === undefined) continue;
    const from = Math.max(0, one.fromSeconds);
    const to = Math.min(run.seconds, one.toSeconds);
    const share = Math.round((one.carriedBy[accessPoint] ?? 0) * 20) / 20;
    const last = cells.at(-1);
    if (last?.share === share && last.to === from) cells.splice(-1, 1, { ...last, to });
    else cells.push({ client, from, to, share });
  }
  return cells;
}

interface Cell {
  readonly client: string;
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

function panel(
  { arrangement, title }: RunReport,
  width: number,
  height: number,
  layer: readonly unknown[],
): Panel {
  return {
    title: { text: `(${arrangement}) ${title}`, anchor: 'start', fontSize: 16, color: ink },
    width,
    height,
    layer,
  };
}

function grid(title: string, subtitle: string, panels: readonly Panel[], columns: number): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    padding: 20,
    background: 'white',
    title: {
      text: title,
      subtitle,
      anchor: 'start',
      fontSize: 22,
      subtitleFontSize: 14,
      subtitlePadding: 8,
      offset: 16,
    },
    config: {
      font: 'DejaVu Sans, Arial, sans-serif',
      axis: { labelFontSize: 13, titleFontSize: 14, titleFontWeight: 'normal', gridColor: '#e4e4e4' },
      legend: {
        orient: 'bottom',
        labelFontSize: 14,
        titleFontSize: 14,
        titleFontWeight: 'normal',
        titleLimit: 500,
      },
      view: { stroke: null },
    },
    columns,
    concat: panels,
    spacing: 28,
  } as unknown as TopLevelSpec;
}

/** The time axis, which is the same for all runs. */
function seconds(runs: readonly RunReport[]): Record<string, unknown> {
  const last = Math.max(...runs.map((run) => run.seconds));
  return {
    field: 'seconds',
    type: 'quantitative',
    title: 'time since the load began (s)',
    scale: { domain: [0, Math.round(last)], nice: false, clamp: true },
  };
}

function clients(run: RunReport): Record<string, unknown> {
  return { field: 'client', type: 'nominal', title: null, sort: run.clients.map(({ name }) => name) };
}

function color({ accessPoints }: CrowdReport): Record<string, unknown> {
  return {
    field: 'accessPoint',
    type: 'nominal',
    title: 'access point',
    sort: accessPoints.map(({ name }) => name),
    scale: { domain: accessPoints.map(({ name }) => name), range: colors },
  };
}

function place({ openvpn, kernel }: CrowdReport): string {
  return `OpenVPN ${openvpn}, Linux ${kernel}.`;
}
