import Table from 'cli-table3';
import type { GoalResult } from './goals.js';
import type { LoadKind } from './load.js';
import type { ClientReport, CrowdReport, RunReport } from './report.js';
import { mean, percentile } from './statistics.js';

/** A table for the terminal and for the page: a head for each column, and a row for each run. */
export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The table of all runs with this load. */
export function rowsOf(report: CrowdReport, load: LoadKind): Rows {
  const runs = report.runs.filter((run) => run.load === load);
  const columns = load === 'downloads' ? downloadColumns : rateColumns(report);
  return {
    head: ['run', ...columns.map(([head]) => head)],
    rows: runs.map((run) => [`(${run.arrangement}) ${run.title}`, ...columns.map(([, cell]) => cell(run))]),
  };
}

/** The goals of (d) and whether they were reached; no rows if their runs are missing. */
export function goalRows(goals: readonly GoalResult[]): Rows {
  return {
    head: ['goal of (d)', 'load', 'measured', ''],
    rows: goals.map(({ goal, load, measured, margin }) => [goal, load, measured, margin]),
  };
}

/** Formats the table for a terminal. */
export function tableOf({ head, rows }: Rows): string {
  const table = new Table({ head: [...head], style: { head: [], border: [] }, wordWrap: true });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

type Column = readonly [head: string, cell: (run: RunReport) => string];

function rateColumns({ accessPoints }: CrowdReport): Column[] {
  const offered = (run: RunReport, of: 'offeredMbit' | 'offeredInSecondHalfMbit') =>
    Math.max(
      ...accessPoints.map(({ name, capacityMbit }) => (run.accessPoints[name]?.[of] ?? 0) / capacityMbit),
    ).toFixed(2);
  return [
    ['load offered to the fullest access point / its capacity', (run) => offered(run, 'offeredMbit')],
    ['the same, second half', (run) => offered(run, 'offeredInSecondHalfMbit')],
    ['delivered in time: ISP A’s clients', (run) => percent(mean(delivered(run.clients, true)))],
    ['ISP B’s', (run) => percent(mean(delivered(run.clients, false)))],
    ['delay: median of ISP A’s', (run) => `${Math.round(delay(run.clients, true))} ms`],
    ['ISP B’s ', (run) => `${Math.round(delay(run.clients, false))} ms`],
    ...commonColumns,
    ['relieved after', ({ relief }) => reliefText(relief)],
    ['overloads that could be avoided: number, median, longest', ({ relief }) => avoidableText(relief)],
  ];
}

/** The columns of both loads. */
const commonColumns: readonly Column[] = [
  ['round-trip time of ISP A’s: median, p95, p99', (run) => rttText(run.clients, true)],
  ['of ISP B’s', (run) => rttText(run.clients, false)],
  [
    'longest gap of ISP A’s; ISP B’s',
    (run) => [true, false].map((is) => seconds(gap(run.clients, is))).join('; '),
  ],
  ['radio-seconds', (run) => run.radioSeconds.toFixed(0)],
  ['Jain’s index of goodput', (run) => run.jain.toFixed(2)],
  ['moves', (run) => `${run.moves.length}`],
];

const downloadColumns: readonly Column[] = [
  ['completion: mean', (run) => seconds(mean(completions(run.clients)))],
  ['95th percentile', (run) => seconds(percentile(completions(run.clients), 0.95))],
  [
    'mean of ISP A’s clients',
    (run) => seconds(mean(completions(run.clients.filter(({ isOurs }) => isOurs)))),
  ],
  ['of ISP B’s', (run) => seconds(mean(completions(run.clients.filter(({ isOurs }) => !isOurs))))],
  ...commonColumns,
];

/** The clients of ISP A or of ISP B. */
function clientsOf(clients: readonly ClientReport[], ofIspA: boolean): ClientReport[] {
  return clients.filter(({ isOurs }) => isOurs === ofIspA);
}

/** A percentile of round-trip times: the mean over the clients of ISP A or of ISP B, milliseconds. */
export function rtt(
  clients: readonly ClientReport[],
  ofIspA: boolean,
  which: keyof ClientReport['experience']['rttMs'],
): number {
  return mean(clientsOf(clients, ofIspA).map(({ experience }) => experience.rttMs[which]));
}

function rttText(clients: readonly ClientReport[], ofIspA: boolean): string {
  const values = (['median', 'p95', 'p99'] as const).map((which) => rtt(clients, ofIspA, which).toFixed(0));
  return `${values.join(', ')} ms`;
}

/** The longest gap of any client of ISP A or of ISP B, seconds. */
function gap(clients: readonly ClientReport[], ofIspA: boolean): number {
  return Math.max(...clientsOf(clients, ofIspA).map(({ experience }) => experience.longestGapMs)) / 1000;
}

function reliefText(relief: RunReport['relief']): string {
  if (!relief) return 'never overloaded';
  const { relievedAfter, overloadedFor } = relief;
  const after = relievedAfter === undefined ? 'not relieved' : seconds(relievedAfter);
  return `${after}; overloaded for ${seconds(overloadedFor)}`;
}

function avoidableText(relief: RunReport['relief']): string {
  const { avoidable = [] } = relief ?? {};
  if (avoidable.length === 0) return 'none';
  return `${avoidable.length}; ${seconds(percentile(avoidable, 0.5))}; ${seconds(Math.max(...avoidable))}`;
}

/** How long the download of each client took, seconds. */
export function completions(clients: readonly ClientReport[]): number[] {
  return clients.map(({ completionSeconds }) => completionSeconds ?? NaN);
}

/** What arrived in time at each client of ISP A or of ISP B, as a share of what was sent, 0 to 1. */
export function delivered(clients: readonly ClientReport[], ofIspA: boolean): number[] {
  return clients.flatMap(({ isOurs, deliveredShare }) => (isOurs === ofIspA ? [deliveredShare ?? NaN] : []));
}

function delay(clients: readonly ClientReport[], ofIspA: boolean): number {
  const medians = clients.flatMap(({ isOurs, delayMs }) =>
    isOurs === ofIspA ? [delayMs?.median ?? NaN] : [],
  );
  return percentile(medians, 0.5);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}
