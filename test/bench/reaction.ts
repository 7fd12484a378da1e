import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { talk } from '../../src/console/terminal/talk.js';
import { Cleanup, withCleanup } from '../lab/cleanup.js';
import { NOTHING, received } from '../lab/devices.js';
import { Meter } from '../lab/meter.js';
import { networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { writeRules } from '../lab/sidecar-files.js';
import { Sidecar, type SwitchEvent } from '../lab/sidecar.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { onPaths } from '../lab/traffic.js';
import { until } from '../support/until.js';
import { startWeb, Transfer } from '../lab/web.js';
import type { Bench, Course } from './bench.js';
import type { Figure, Outcome } from './figure.js';
import { runInside } from './guest.js';
import { percentile, spreadOf } from './rounds.js';

const PATIENCE_MS = 60_000;
const CLIENT = 'alice';
/** Bytes of the longest TCP packet without data, over Ethernet and with all possible options. */
const MAX_HEADER_BYTES = 100;
/** More than one packet. */
const DATA_BYTES = 2_000;

/** A request and its commit: Unix time in milliseconds. */
interface Reaction {
  readonly requestedMs: number;
  readonly committedMs: number;
  readonly to: string;
}

export const reactionBench: Bench = {
  name: 'reaction',
  about:
    'real OpenVPN and netlink: from a connect, a saved ini or a command to the commit, and to the first packet after it',
  needs: networkNeeds,
  run: (course) => react(course, { backend: 'netlink', kbit: 4000, where: 'this machine, netlink' }),
};

export const guestReactionBench: Bench = {
  name: 'reaction-devmem',
  about: "the same through a real kernel's memory, in a guest",
  needs: ['guest'],
  run: (course) => runInside(course, 'inside-reaction'),
};

/** Where and how it is measured. */
export interface Scene {
  readonly backend: 'netlink' | 'devmem';
  /** Rate of the download: enough for a packet every few milliseconds. */
  readonly kbit: number;
  /** In words, for the table. */
  readonly where: string;
}

export async function react(course: Course, { backend, kbit, where }: Scene): Promise<Outcome> {
  const times = course.quick ? 5 : 100;
  return withCleanup(async (cleanup) => {
    const stage = await buildStage(cleanup, { logs: course.output, backend });
    await writeRules(stage.files, figure6Paths, { '*': 'lte' });
    const sidecar = Sidecar.start(
      stage.network.server,
      stage.files.config,
      path.join(course.output, `reaction-${backend}.log`),
    );
    cleanup.add(() => sidecar.stop());
    await until('subflowd', () => sidecar.status(), PATIENCE_MS);
    course.say(`${times} clients, one after another`);
    const connects = await connectMany(course, stage, sidecar, times);

    const { pid } = await stage.connect(0, CLIENT);
    const web = new Cleanup();
    cleanup.add(() => web.run());
    await startWeb(web, stage.network);
    const [host] = stage.network.clients;
    if (!host) throw new Error('the network has no client');
    const download = Transfer.download(stage.network, host.namespace, 1e9, { kbit, timeoutMs: 1_200_000 });
    await until('a download', () => download.hasStarted, PATIENCE_MS);
    const meter = await Meter.start(host.namespace, path.join(course.output, 'reaction.pcap'));
    course.say(`${times} saved inis`);
    const switchMany = (order: (to: string) => Promise<void>) =>
      alternate(course, sidecar, times, async (to) => {
        const known = (await sidecar.switches()).length;
        const requestedMs = Date.now();
        await order(to);
        const { committedAt } = await nextSwitch(sidecar, known, to);
        await carries(pid, to);
        return { requestedMs, committedMs: committedAt, to };
      });
    const saves = await switchMany((to) => writeRules(stage.files, figure6Paths, { '*': to }));
    course.say(`${times} commands`);
    const commands = await switchMany(async (to) => {
      await talk(stage.files.console, `mptcp primary ${CLIENT} ${to}`);
    });
    // The capture can end only after the last packet.
    await web.run();
    const packets = onPaths(await meter.stop(), host.addresses).filter(
      ({ direction }) => direction === 'toClient',
    );
    const firsts = [...saves, ...commands].map(({ requestedMs, committedMs, to }) => {
      const first = packets.find((packet) => packet.timeMs >= requestedMs && packet.path === to);
      if (!first) throw new Error(`no packet arrived on ${to}`);
      // The time of the commit is read after the kernel has acted on it, so a packet can be earlier.
      return Math.max(0, first.timeMs - committedMs);
    });
    const figure = (name: string, values: readonly number[]) => percentiles(name, where, values);
    return {
      figures: [
        figure('client-connect to committed, both subflows there', connects.map(lasted)),
        figure('ini saved to committed', saves.map(lasted)),
        figure('mptcp primary to committed', commands.map(lasted)),
        figure(`committed to the first packet on the new path, of ${kbit / 1000} Mbit/s`, firsts),
      ],
    };
  });
}

function percentiles(name: string, where: string, values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    name,
    against: `50th and 99th percentile of ${values.length}`,
    where,
    ours: spreadOf(sorted),
    percentiles: { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
    unit: 'ms',
  };
}

function lasted({ requestedMs, committedMs }: Reaction): number {
  return committedMs - requestedMs;
}

/** Measures from the time of the hook's record, by its file, to the commit of the client's rule. */
async function connectMany(
  { say }: Course,
  stage: Stage,
  sidecar: Sidecar,
  times: number,
): Promise<Reaction[]> {
  const directory = path.join(stage.files.events, 'nobody');
  const reactions: Reaction[] = [];
  let lost = 0;
  while (reactions.length < times) {
    const known = (await sidecar.switches()).length;
    const tunnel = await stage.connect(0, CLIENT);
    const made = await nextSwitch(sidecar, known, 'lte');
    const requestedMs = await recordedAt(directory);
    if (requestedMs !== undefined && requestedMs <= made.committedAt)
      reactions.push({ requestedMs, committedMs: made.committedAt, to: made.to });
    else {
      const why =
        requestedMs === undefined
          ? 'there is no record'
          : `the record is ${requestedMs - made.committedAt} ms later than the commit`;
      if (++lost > times / 10) throw new Error(`${lost} switches cannot be timed; the last: ${why}`);
      say(`this switch cannot be timed and does not count: ${why}`);
    }
    await tunnel.stop();
    await until(
      'the removal of the record',
      async () => (await readdir(directory)).length === 0,
      PATIENCE_MS,
    );
    if (reactions.length % 25 === 0) say(`${reactions.length}`);
  }
  return reactions;
}

/** When the hook wrote its record, Unix time in milliseconds; undefined if there is no record. */
async function recordedAt(directory: string): Promise<number | undefined> {
  const [record] = await readdir(directory);
  if (record === undefined) return undefined;
  const status = await stat(path.join(directory, record)).catch(() => undefined);
  return status?.mtimeMs;
}

/** Switches between the two paths again and again. */
async function alternate(
  { say }: Course,
  sidecar: Sidecar,
  times: number,
  turn: (to: string) => Promise<Reaction>,
): Promise<Reaction[]> {
  const reactions: Reaction[] = [];
  for (let at = 0; at < times; at++) {
    reactions.push(await turn((await sidecar.switches()).at(-1)?.to === 'lte' ? 'wifi' : 'lte'));
    if (at % 25 === 24) say(`${at + 1}`);
    // Without a pause, reading the log would be most of the load.
    await sleep(100);
  }
  return reactions;
}

/**
 * Waits until a client receives data on a path. The kernel may keep sending on the old subflow for a while (Linux 6.1,
 * net/mptcp/protocol.c: up to MPTCP_SEND_BURST_SIZE, 64 KiB). Without this wait a quick switch back would hide the first.
 * @param pid of a process in its namespace.
 */
async function carries(pid: number, to: string): Promise<void> {
  const data = async () => {
    const { bytes, packets } = (await received(pid)).get(to) ?? NOTHING;
    return bytes - MAX_HEADER_BYTES * packets;
  };
  const before = await data();
  await until(`data on ${to}`, async () => (await data()) - before >= DATA_BYTES, PATIENCE_MS);
}

function nextSwitch(sidecar: Sidecar, known: number, to: string): Promise<SwitchEvent> {
  return until(
    `a switch to ${to}`,
    async () => (await sidecar.switches()).slice(known).find((one) => one.to === to),
    PATIENCE_MS,
  );
}
