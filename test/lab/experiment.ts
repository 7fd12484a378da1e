// The paper's experiment on the running kernel: `experiment --out DIR`. Writes report.json, throughput.json and the logs,
// and prints what tcpdump at the client saw before and after each switch.
import { mkdir, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { execa } from 'execa';
import { Cleanup } from './cleanup.js';
import { readCounters, trouble } from './counters.js';
import { figures } from './figures.js';
import { Meter } from './meter.js';
import { capturedMpPrio, countedMpPrio } from './mp-prio.js';
import { mptcpFamily } from './mptcp.js';
import { figure6Paths, type ClientHost } from './network.js';
import { openvpnVersion, type OpenvpnProcess } from './openvpn.js';
import type { Packet } from './packet.js';
import { payloadSha256 } from './payload.js';
import type { Report } from './report.js';
import { writeRules } from './sidecar-files.js';
import { Sidecar, type Status, type SwitchEvent } from './sidecar.js';
import { buildStage, type Stage } from './stage.js';
import { measureSwitch, type BothCounters, type Switch } from './switch-report.js';
import { onPaths, sumBytes, throughput } from './traffic.js';
import { until } from '../support/until.js';
import { startWeb, Transfer, type TransferResult } from './web.js';

interface Options {
  readonly out: string;
  readonly size: string;
  readonly rate: string;
  readonly backend: 'devmem' | 'netlink';
  readonly subflowd?: string;
  readonly layout?: string;
}

const options = new Command('experiment')
  .requiredOption('--out <directory>', 'directory for the results')
  .option('--size <bytes>', 'size of the download', '20000000')
  .option('--rate <Mbit/s>', 'rate of each path', '20')
  .addOption(
    new Option('--backend <name>', 'how priorities are set').choices(['devmem', 'netlink']).default('devmem'),
  )
  .option('--subflowd <file>', 'main.js to run (default: that of the checkout)')
  .option('--layout <file>', 'file from `subflowd layout`, for a kernel without BTF')
  .parse()
  .opts<Options>();
const out = path.resolve(options.out);
const size = Number(options.size);
const paths = figure6Paths.map((one) => ({ ...one, rateMbit: Number(options.rate) }));
const commonName = 'alice';
const patienceMs = 180_000;
const startMs = Date.now();

interface Parts {
  readonly stage: Stage;
  readonly host: ClientHost;
  readonly sidecar: Sidecar;
  readonly tunnel: OpenvpnProcess;
  readonly backend: Status['backend'];
  /** The switch by the rule, when the client connected. */
  /** When `status` first showed the client as its first rule wants it, Unix time in milliseconds. */
  readonly obeyedMs: number;
}

interface Run {
  readonly result: TransferResult;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly begin: BothCounters;
  readonly end: BothCounters;
  readonly switches: readonly Switch[];
  readonly captured: readonly Packet[];
  /** Packets at the server. Absent if the kernel counts MP_PRIO. */
  readonly capturedAtServer?: readonly Packet[];
}

const cleanup = new Cleanup();
cleanup.onSignals();
try {
  await mkdir(out, { recursive: true });
  const parts = await setUp();
  const run = await downloadAndSwitch(parts);
  await conclude(parts, run);
} finally {
  await cleanup.run();
}

async function setUp(): Promise<Parts> {
  const stage = await buildStage(cleanup, {
    paths,
    logs: out,
    backend: options.backend,
    ...(options.layout === undefined ? {} : { layout: options.layout }),
  });
  say(
    `network and OpenVPN server: ${paths.map(({ name, rateMbit }) => `${name} ${rateMbit} Mbit/s`).join(', ')}`,
  );
  const [host] = stage.network.clients;
  if (host === undefined) throw new Error('the network has no client');

  await writeRules(stage.files, paths, { [commonName]: 'wifi' });
  const log = path.join(out, 'subflowd.log');
  const sidecar = Sidecar.start(stage.network.server, stage.files.config, log, {
    program: options.subflowd,
  });
  cleanup.add(() => sidecar.stop());
  const { backend } = await until('subflowd to answer', () => sidecar.status(), patienceMs);
  say(`subflowd is running; ${backend.name}: ${backend.description}`);

  const tunnel = await stage.connect(0, commonName);
  await until(
    `${commonName} on wifi in the status`,
    async () => {
      const status = await sidecar.status();
      return status?.sessions.find(
        ({ session, state, primary }) =>
          session.commonName === commonName && state === 'obeyed' && primary === 'wifi',
      );
    },
    patienceMs,
  );
  const obeyedMs = Date.now();
  say(`${commonName} is connected and has the primary of its rule: wifi`);
  return { stage, host, sidecar, tunnel, backend, obeyedMs };
}

async function downloadAndSwitch({ stage, host, sidecar }: Parts): Promise<Run> {
  await startWeb(cleanup, stage.network);
  const meter = await Meter.start(host.namespace, path.join(out, 'client.pcap'));
  const serverMeter =
    mptcpFamily() === 'multipath-tcp.org'
      ? await Meter.start(stage.network.server, path.join(out, 'server.pcap'))
      : undefined;
  const counters = async (): Promise<BothCounters> => ({
    server: await readCounters(stage.network.server),
    client: await readCounters(host.namespace),
  });
  const begin = await counters();
  const beganMs = Date.now();
  // There is a third of the bytes before, between and after the two switches. In the middle of the second and of the last
  // third the download waits for the commit, in case the machine needs many seconds to start `subflowd primary`.
  const stops = [size / 2, (size * 5) / 6];
  // While the reader waits, data collects in its receive buffer. That data would be missing on the new path.
  await limitReceiveBuffers(host);
  const download = Transfer.download(stage.network, host.namespace, size, { stops, timeoutMs: 600_000 });

  const moveAt = async (
    bytes: number,
    { by, from, to }: Pick<Switch, 'by' | 'from' | 'to'>,
  ): Promise<Switch> => {
    await until(
      `${bytes} bytes to arrive`,
      async () => {
        // `done` throws here if the download failed. Otherwise the pause ends first.
        await Promise.race([download.done, sleep(20)]);
        return download.bytes >= bytes;
      },
      5 * patienceMs,
    );
    const before = await counters();
    const known = (await sidecar.switches()).length;
    const requestedMs = Date.now();
    if (by === 'file') await writeRules(stage.files, paths, { [commonName]: to });
    else await sidecar.primary(commonName, to);
    const { committedAt: committedMs } = await nextSwitch(sidecar, known, to);
    download.release();
    say(`${by === 'file' ? 'subflowd.ini saved' : 'subflowd primary'}: ${from} -> ${to}`);
    return { by, from, to, requestedMs, committedMs, before };
  };
  const switches = [
    await moveAt(size / 3, { by: 'file', from: 'wifi', to: 'lte' }),
    await moveAt((size * 2) / 3, { by: 'command', from: 'lte', to: 'wifi' }),
  ];

  const result = await download.done;
  const endedMs = Date.now();
  say(`downloaded ${result.bytes} bytes in ${((endedMs - beganMs) / 1000).toFixed(1)} s`);
  const end = await counters();
  const run = { result, beganMs, endedMs, begin, end, switches, captured: await meter.stop() };
  return serverMeter === undefined ? run : { ...run, capturedAtServer: await serverMeter.stop() };
}

/** From Linux 4.15 on the setting belongs to the namespace. Before, it belongs to the whole machine. */
async function limitReceiveBuffers({ namespace }: ClientHost): Promise<void> {
  const name = 'net.ipv4.tcp_rmem';
  const limit = ['-q', `${name}=4096 131072 524288`];
  const { failed } = await namespace.start('sysctl', limit);
  if (!failed) return;
  const { stdout: before } = await execa('sysctl', ['-n', name]);
  await execa('sysctl', limit);
  cleanup.add(() => execa('sysctl', ['-q', `${name}=${before}`]));
}

async function conclude({ host, tunnel, backend, obeyedMs }: Parts, run: Run): Promise<void> {
  const { result, switches, captured } = run;
  const packets = onPaths(captured, host.addresses);
  const report: Report = {
    backend: backend.name,
    writes: backend.description,
    kernel: release(),
    openvpn: await openvpnVersion(),
    transfer: {
      bytes: result.bytes,
      sha256Matches: result.sha256 === payloadSha256(size),
      reconnects: await tunnel.reconnects(),
    },
    rule: {
      client: commonName,
      primary: 'wifi',
      connectedMs: Math.round((await tunnel.readyAt()) - startMs),
      committedMs: obeyedMs - startMs,
    },
    switches: switches.map((one, index) => {
      const next = switches[index + 1];
      const nextMs = next?.requestedMs ?? run.endedMs;
      const mpPrio =
        run.capturedAtServer === undefined
          ? countedMpPrio(one.before, next?.before ?? run.end)
          : capturedMpPrio(
              { server: run.capturedAtServer, client: captured },
              { fromMs: one.requestedMs, untilMs: nextMs },
            );
      return measureSwitch(commonName, one, nextMs, packets, mpPrio, startMs);
    }),
    paths: paths.map(({ name, rateMbit }) => ({
      name,
      clientAddress: host.addresses[name]?.v4 ?? '',
      rateMbit,
      bytesToClient: sumBytes(packets, { path: name, direction: 'toClient' }),
      bytesToServer: sumBytes(packets, { path: name, direction: 'toServer' }),
    })),
    trouble: {
      server: trouble(run.begin.server, run.end.server),
      client: trouble(run.begin.client, run.end.client),
    },
  };
  const names = paths.map(({ name }) => name);
  await writeJson('throughput.json', throughput(packets, names, run.beganMs, run.endedMs, startMs));
  await writeJson('report.json', report);
  for (const one of report.switches) process.stdout.write(`\n${figures(one, captured, startMs)}`);
}

async function nextSwitch(sidecar: Sidecar, known: number, to: string): Promise<SwitchEvent> {
  return until(
    `the switch of ${commonName} to ${to} in subflowd's log`,
    async () =>
      (await sidecar.switches()).slice(known).find((one) => one.commonName === commonName && one.to === to),
    patienceMs,
  );
}

async function writeJson(name: string, value: unknown): Promise<void> {
  await writeFile(path.join(out, name), `${JSON.stringify(value, undefined, 2)}\n`);
}

function say(text: string): void {
  process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
