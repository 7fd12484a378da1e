import type { SwitchEvent } from '../sidecar.js';
import type { Arrangement } from './arrangement.js';
import { burstMs } from './bursts.js';
import { experienceOf, radioSeconds } from './experience.js';
import type { InterfaceSample } from './interface-watch.js';
import { accessPoints } from './isps.js';
import type { LoadKind, LoadResult } from './load.js';
import type { Probe } from './prober.js';
import { reliefOf, type OfferedRate } from './relief.js';
import type { AccessPointReport, ClientReport, LoadPoint, Placement, RunReport } from './report.js';
import type { ClientSample, Sample } from './sampler.js';
import { jain, mean } from './statistics.js';

/** What was recorded in one run. */
export interface RunRecord {
  readonly arrangement: Arrangement;
  readonly load: LoadKind;
  readonly clients: readonly { readonly name: string; readonly isOurs: boolean }[];
  readonly result: LoadResult;
  /** In order of time. Those outside the load are ignored. */
  readonly samples: readonly Sample[];
  /** In order of time. */
  readonly interfaces: readonly InterfaceSample[];
  /** Of each client, in the order of `clients`. */
  readonly probes: readonly (readonly Probe[])[];
  readonly latenessMs: number;
  readonly switches: readonly SwitchEvent[];
}

const paths = accessPoints.map(({ name }) => name);
/** Fewer bytes than this in an interval are not load, but OpenVPN's pings and TCP's last segments. */
const MIN_BYTES = 10_000;
/** A sample that was taken this much later than the end of the load still counts. */
const graceMs = 500;

/**
 * Computes the figures of one run.
 * @throws {Error} if there are fewer than two samples of the load, or if the tunnels carried nothing.
 */
export function figuresOf(record: RunRecord): RunReport {
  const { arrangement, load, clients, result, samples, switches } = record;
  const { beganMs, endedMs } = result;
  const within = samples.filter(({ timeMs }) => timeMs >= beganMs && timeMs <= endedMs + graceMs);
  const [first, last] = [within[0], within.at(-1)];
  if (!first || !last || first === last) throw new Error('the load was too short to be measured');
  const seconds = (last.timeMs - first.timeMs) / 1000;
  const overhead = overheadBetween(first, last);
  const names = clients.map(({ name }) => name);
  const placements = placementsIn(within, names, beganMs);
  const offered = load === 'downloads' ? undefined : offeredRates(record, overhead);
  const series = loadPoints(within, offered, beganMs);
  const capacities = new Map(accessPoints.map(({ name, rateMbit }) => [name, rateMbit]));
  const relief = offered && reliefOf(record.interfaces, offered, capacities, { beganMs, endedMs });
  const reports = clients.map(({ name, isOurs }, index): ClientReport => {
    const one = result.clients[index];
    if (!one) throw new Error(`the load has no result for ${name}`);
    // a download that has ended loads nothing any more
    const untilMs = load === 'downloads' ? Math.min(endedMs, beganMs + one.seconds * 1000) : endedMs;
    return {
      name,
      isOurs,
      goodputMbit: megabits(one.receivedBytes) / one.seconds,
      ...(load === 'downloads'
        ? { completionSeconds: one.seconds }
        : { deliveredShare: one.receivedBytes / one.sentBytes }),
      ...(one.delayMs === undefined ? {} : { delayMs: one.delayMs }),
      experience: experienceOf(record.probes[index] ?? [], beganMs, untilMs),
      carriedBy: carriedBy(first.clients[name], last.clients[name]) ?? {},
    };
  });
  return {
    load,
    arrangement: arrangement.letter,
    title: arrangement.title,
    seconds,
    overhead,
    latenessMs: record.latenessMs,
    accessPoints: Object.fromEntries(
      paths.map((path) => [path, accessPointReport(path, first, last, series, seconds)]),
    ),
    clients: reports,
    radioSeconds: clients.reduce(
      (sum, { name, isOurs }) => sum + (isOurs ? radioSeconds(record.interfaces, name, beganMs, endedMs) : 0),
      0,
    ),
    ...(relief && { relief }),
    jain: jain(reports.map(({ goodputMbit }) => goodputMbit)),
    moves: switches
      .filter(({ committedAt }) => committedAt >= beganMs && committedAt <= endedMs)
      .map(({ committedAt, commonName, from, to }) => ({
        seconds: (committedAt - beganMs) / 1000,
        client: commonName,
        from: from ?? null,
        to,
      })),
    series,
    placements,
  };
}

function offeredRates({ clients, result }: RunRecord, overhead: number): OfferedRate[] {
  return clients.map(({ name }, index) => {
    const { sentBytes = 0, bursts = [] } = result.clients[index] ?? {};
    const seconds = burstMs(bursts, 0, result.endedMs - result.beganMs) / 1000;
    return { client: name, mbit: seconds > 0 ? (megabits(sentBytes) / seconds) * overhead : 0, bursts };
  });
}

function overheadBetween(first: Sample, last: Sample): number {
  const outside = paths.reduce((sum, path) => sum + carriedBytes(path, first, last), 0);
  const inside = Object.entries(last.clients).reduce(
    (sum, [name, { tunnelBytes }]) => sum + tunnelBytes - (first.clients[name]?.tunnelBytes ?? 0),
    0,
  );
  if (inside <= 0) throw new Error('the tunnels carried nothing');
  return outside / inside;
}

function placementsIn(samples: readonly Sample[], names: readonly string[], beganMs: number): Placement[] {
  return intervals(samples).flatMap(([before, after]) =>
    names.map((client) => {
      const carried = carriedBy(before.clients[client], after.clients[client]);
      const fromSeconds = (before.timeMs - beganMs) / 1000;
      const toSeconds = (after.timeMs - beganMs) / 1000;
      return { fromSeconds, toSeconds, client, ...(carried === undefined ? {} : { carriedBy: carried }) };
    }),
  );
}

function loadPoints(
  samples: readonly Sample[],
  offered: readonly OfferedRate[] | undefined,
  beganMs: number,
): LoadPoint[] {
  const lastKnown = new Map<string, Readonly<Record<string, number>>>();
  return intervals(samples).flatMap(([before, after]) => {
    const seconds = ((before.timeMs + after.timeMs) / 2 - beganMs) / 1000;
    for (const { client } of offered ?? []) {
      const carried = carriedBy(before.clients[client], after.clients[client]);
      if (carried !== undefined) lastKnown.set(client, carried);
    }
    return paths.map((path): LoadPoint => {
      const carriedMbit =
        megabits(carriedBytes(path, before, after)) / ((after.timeMs - before.timeMs) / 1000);
      const point = { seconds, accessPoint: path, carriedMbit };
      if (offered === undefined) return point;
      const [fromMs, toMs] = [before.timeMs - beganMs, after.timeMs - beganMs];
      const sums = offered.map(
        ({ client, mbit, bursts }) =>
          ((mbit * burstMs(bursts, fromMs, toMs)) / (toMs - fromMs)) * (lastKnown.get(client)?.[path] ?? 0),
      );
      return { ...point, offeredMbit: sums.reduce((sum, one) => sum + one, 0) };
    });
  });
}

function accessPointReport(
  path: string,
  first: Sample,
  last: Sample,
  series: readonly LoadPoint[],
  seconds: number,
): AccessPointReport {
  const offered = series.flatMap(({ accessPoint, offeredMbit }) =>
    accessPoint === path && offeredMbit !== undefined ? [offeredMbit] : [],
  );
  return {
    carriedMbit: megabits(carriedBytes(path, first, last)) / seconds,
    drops: (last.paths[path]?.drops ?? 0) - (first.paths[path]?.drops ?? 0),
    ...(offered.length === 0
      ? {}
      : {
          offeredMbit: mean(offered),
          offeredInSecondHalfMbit: mean(offered.slice(Math.floor(offered.length / 2))),
        }),
  };
}

function carriedBy(before?: ClientSample, after?: ClientSample): Record<string, number> | undefined {
  const bytes = paths.map((path) => (after?.pathBytes[path] ?? 0) - (before?.pathBytes[path] ?? 0));
  const all = bytes.reduce((sum, one) => sum + one, 0);
  if (all < MIN_BYTES) return undefined;
  return Object.fromEntries(paths.map((path, index) => [path, (bytes[index] ?? 0) / all]));
}

function carriedBytes(path: string, before: Sample, after: Sample): number {
  return (after.paths[path]?.bytes ?? 0) - (before.paths[path]?.bytes ?? 0);
}

function intervals(samples: readonly Sample[]): [before: Sample, after: Sample][] {
  return samples.slice(1).map((after, index) => [samples[index] ?? after, after]);
}

function megabits(bytes: number): number {
  return (bytes * 8) / 1_000_000;
}
