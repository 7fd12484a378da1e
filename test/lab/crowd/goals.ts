import { loadKinds, type LoadKind } from './load.js';
import type { CrowdReport, RunReport } from './report.js';
import { mean, percentile } from './statistics.js';
import { completions, delivered, rtt } from './table.js';

/** One goal of arrangement (d), with what was measured in this experiment. */
export interface GoalResult {
  readonly load: LoadKind;
  readonly goal: string;
  readonly measured: string;
  readonly isReached: boolean;
  /** By how much it was missed or exceeded. */
  readonly margin: string;
}

/** A goal: (d) must have at most, or at least, a number that can depend on (b). */
interface Goal {
  readonly loads: readonly LoadKind[];
  readonly text: string;
  readonly of: (run: RunReport) => number | undefined;
  /** The limit; undefined: (b) is needed for it and was not run. */
  readonly limit: (b: RunReport | undefined, capacities: CrowdReport['capacities']) => number | undefined;
  readonly is: 'at most' | 'at least';
  readonly format: (value: number) => string;
}

const milliseconds = (value: number) => `${value.toFixed(0)} ms`;
const seconds = (value: number) => `${value.toFixed(1)} s`;
const share = (value: number) => `${(value * 100).toFixed(2)} %`;
const count = (value: number) => value.toFixed(0);

const atMost = { is: 'at most' } as const;
const atLeast = { is: 'at least' } as const;

const goals: readonly Goal[] = [
  {
    ...atMost,
    loads: loadKinds,
    text: 'p99 of ISP B’s round-trip time at most half of (b)’s',
    of: ({ clients }) => rtt(clients, false, 'p99'),
    limit: (b) => b && rtt(b.clients, false, 'p99') / 2,
    format: milliseconds,
  },
  ...[true, false].map((ofIspA): Goal => ({
    ...atLeast,
    // bursts can together be more than both access points carry
    loads: ['constant'],
    text: `delivered share of ISP ${ofIspA ? 'A' : 'B'}’s clients at least 99.5 %`,
    of: ({ clients }) => mean(delivered(clients, ofIspA)),
    limit: () => 0.995,
    format: share,
  })),
  {
    ...atMost,
    loads: ['constant'],
    text: 'both access points below their capacity after one was overloaded: at most 2 s, or 4 s if capacities are learnt',
    of: ({ relief }) => (relief ? (relief.relievedAfter ?? Infinity) : 0),
    limit: (_, capacities) => (capacities === 'told' ? 2 : 4),
    format: seconds,
  },
  {
    ...atMost,
    loads: ['downloads'],
    text: 'mean completion at most (b)’s',
    of: ({ clients }) => mean(completions(clients)),
    limit: (b) => b && mean(completions(b.clients)),
    format: seconds,
  },
  {
    ...atMost,
    loads: ['downloads'],
    text: '95th percentile of completions at most (b)’s',
    of: ({ clients }) => percentile(completions(clients), 0.95),
    limit: (b) => b && percentile(completions(b.clients), 0.95),
    format: seconds,
  },
  {
    ...atMost,
    loads: ['downloads'],
    text: 'moves at most 6',
    of: ({ moves }) => moves.length,
    limit: () => 6,
    format: count,
  },
  {
    ...atMost,
    loads: loadKinds,
    text: 'radio-seconds at most 60 % of (b)’s',
    of: ({ radioSeconds }) => radioSeconds,
    limit: (b) => b && b.radioSeconds * 0.6,
    format: count,
  },
];

/** Compares (d) with the goals, and with (b) of the same experiment. A goal without the runs it needs is left out. */
export function goalResults({ runs, capacities }: Pick<CrowdReport, 'runs' | 'capacities'>): GoalResult[] {
  return loadKinds.flatMap((load) => {
    const run = (letter: RunReport['arrangement']) =>
      runs.find((one) => one.load === load && one.arrangement === letter);
    const d = run('d');
    if (!d) return [];
    const some = goals.filter(({ loads }) => loads.includes(load));
    return some.flatMap(({ text, of, limit, is, format }): GoalResult[] => {
      const [value, bound] = [of(d), limit(run('b'), capacities)];
      if (value === undefined || bound === undefined) return [];
      const isReached = is === 'at most' ? value <= bound : value >= bound;
      const difference = Math.abs(value - bound);
      return [
        {
          load,
          goal: text,
          measured: `${format(value)}, the limit is ${format(bound)}`,
          isReached,
          margin: `${isReached ? 'reached' : 'missed'} by ${format(difference)}`,
        },
      ];
    });
  });
}
