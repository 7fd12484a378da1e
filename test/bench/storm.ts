import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonStatus } from '../../src/api/status.js';
import { talk } from '../../src/console/terminal/talk.js';
import { IDLE_AFTER_MS } from '../../src/control/pending-switches.js';
import { checkout } from '../lab/checkout.js';
import { type Cleanup, withCleanup } from '../lab/cleanup.js';
import type { Namespace } from '../lab/namespace.js';
import { networkNeeds } from '../lab/needs.js';
import { buildNetwork } from '../lab/network.js';
import { partOfCore, residentMiB } from '../lab/process-usage.js';
import { says } from '../lab/says.js';
import { asService } from '../lab/service.js';
import { makeSidecarFiles, writeRules, type SidecarFiles } from '../lab/sidecar-files.js';
import { Sidecar } from '../lab/sidecar.js';
import { until } from '../support/until.js';
import type { Bench, Course } from './bench.js';
import type { Figure, Unit } from './figure.js';
import { startPeer, type Peer } from './peer.js';
import { PATHS, PORT } from './real-sessions.js';
import { spreadOf } from './rounds.js';

const PATIENCE_MS = 300_000;
/** The primary of the rule. Clients connect on another path. */
const WANTED = 'two';
/** Milliseconds until the effects of a change are over. */
const SETTLE_MS = 30_000;
/** Milliseconds of a measurement. It includes an observation of a large server, which happens at least every 5 min. */
const MAX_PAUSE_MS = 310_000;
/** Milliseconds for which each of the short sessions stays connected. */
const STAY_MS = 100;

export const stormBench: Bench = {
  name: 'storm',
  about:
    'memory and processor with 1,000 sessions at once, 10,000 that stay, and 100,000 short ones: real connections and hooks, a stand-in for OpenVPN',
  needs: networkNeeds,
  async run(course) {
    return withCleanup(async (cleanup) => {
      const storm = await Storm.open(cleanup, course);
      const figures = [...(await storm.rest('no sessions'))];
      const [some, many, fleeting] = course.quick ? [100, 500, 1000] : [1000, 10_000, 100_000];
      figures.push(...(await storm.connect(some)), ...(await storm.rest(`${some} sessions`)));
      await storm.fill(many);
      figures.push(...(await storm.rest(`${many} sessions`)));
      await storm.empty();
      figures.push(await storm.comeAndGo(fleeting));
      return { figures };
    });
  },
};

/** The daemon, a stand-in for an OpenVPN server, and a client with three paths. */
class Storm {
  readonly #clients: Peer[] = [];
  #sessions = 0;

  private constructor(
    private readonly course: Course,
    private readonly cleanup: Cleanup,
    private readonly client: Namespace,
    private readonly server: string,
    private readonly files: SidecarFiles,
    private readonly sidecar: Sidecar,
    /** Number of sessions that the server has. */
    private readonly count: () => number,
  ) {}

  static async open(cleanup: Cleanup, course: Course): Promise<Storm> {
    const network = await buildNetwork(cleanup, { paths: PATHS });
    await network.server.sysctl({ 'net.mptcp.pm_type': 1, 'net.core.somaxconn': 4096 });
    // The daemon watches each parent directory of its config. Other programs create files in /tmp, and that would be
    // measured, too.
    const directory = await mkdtemp('/var/tmp/subflowd-storm-');
    cleanup.add(() => rm(directory, { recursive: true }));
    const files = await makeSidecarFiles(directory, { backend: 'netlink' });
    await writeRules(files, PATHS, { '*': WANTED });
    // subflowd takes a process for OpenVPN only if its program has this name.
    const program = path.join(directory, 'openvpn-stand-in');
    await copyFile(process.execPath, program);
    const script = path.join(checkout, 'dist/test/bench/openvpn-stand-in.js');
    const child = network.server.start('mptcpize', [
      ...['run', program, script, `${PORT}`, files.management, files.events],
    ]);
    cleanup.add(async () => {
      child.kill('SIGKILL');
      await child;
    });
    await says(child.stdout, 'listening');
    let count = 0;
    createInterface(child.stdout).on('line', (line) => (count = Number.parseInt(line, 10)));
    const sidecar = Sidecar.start(
      await asService(network.server),
      files.config,
      path.join(course.output, 'storm.log'),
    );
    cleanup.add(() => sidecar.stop());
    await until('subflowd', () => sidecar.status(), PATIENCE_MS);
    const [host] = network.clients;
    if (!host) throw new Error('the network has no client');
    return new Storm(course, cleanup, host.namespace, network.serverAddress.v4, files, sidecar, () => count);
  }

  /** Connects sessions at once. Resolves when each has the primary of its rule. */
  async connect(count: number): Promise<Figure[]> {
    this.course.say(`${count} sessions at once`);
    const before = (await this.sidecar.switches()).length;
    const start = Date.now();
    this.#hold(count);
    await until('the hooks of all sessions', () => this.count() === count, PATIENCE_MS, 5);
    const connected = Date.now() - start;
    const sessions = await this.#placed();
    // Nothing is sent to these clients, so their switches are reported only after this time.
    await sleep(IDLE_AFTER_MS + 2000);
    const switches = (await this.sidecar.switches()).slice(before);
    const last = switches.reduce((latest, { committedAt }) => Math.max(latest, committedAt), start);
    const name = `${count} sessions that come within ${(connected / 1000).toFixed(1)} s`;
    return [
      this.#figure(name, 'until each is on its path', last - start, 'ms'),
      { ...this.#figure(name, 'placed', sessions, 'sessions'), goal: { is: 'at least', value: count } },
    ];
  }

  /** Adds sessions until there are `to`. */
  async fill(to: number): Promise<void> {
    this.course.say(`${to} sessions`);
    this.#hold(to - this.#sessions);
    await until('the hooks of all sessions', () => this.count() === to, PATIENCE_MS, 100);
    await this.#placed();
  }

  /** Disconnects all sessions. */
  async empty(): Promise<void> {
    this.course.say('all sessions disconnect');
    for (const client of this.#clients.splice(0)) await client.stop();
    this.#sessions = 0;
    await this.#forgotten();
  }

  /** Memory and processor while nothing happens. */
  async rest(what: string): Promise<Figure[]> {
    this.course.say(`idle, ${what}`);
    // Time must pass here: nothing may happen before the measurement.
    await sleep(this.course.quick ? 2_000 : SETTLE_MS);
    const forMs = this.course.quick ? 5_000 : this.#sessions === 0 ? SETTLE_MS : MAX_PAUSE_MS;
    const part = 100 * (await partOfCore(this.sidecar.pid ?? 0, forMs));
    const memory = { ...this.#figure('memory', what, await this.#rss(), 'MiB') };
    return [
      this.#sessions <= 1000 ? { ...memory, goal: { is: 'at most', value: 90 } } : memory,
      {
        ...this.#figure('processor while nothing happens', what, part, '% of a core'),
        goal: { is: 'at most', value: 0.2 },
      },
    ];
  }

  /**
   * Connects and disconnects sessions in ten parts. Compares the least memory in the second half with that in the first: a
   * leak raises the least value, but garbage that is not collected yet does not.
   */
  async comeAndGo(count: number): Promise<Figure> {
    const rss: number[] = [];
    const tenths = 10;
    for (let tenth = 1; tenth <= tenths; tenth++) {
      await this.#peer('storm', `${count / tenths}`, `${STAY_MS}`).child;
      await this.#forgotten();
      rss.push(await this.#rss());
      this.course.say(
        `${(count / tenths) * tenth} connected and disconnected: ${rss.at(-1)?.toFixed(1) ?? ''} MiB`,
      );
    }
    const [earlier, later] = [rss.slice(0, tenths / 2), rss.slice(tenths / 2)].map(spreadOf);
    if (!earlier || !later) throw new Error('two halves were measured');
    return {
      name: `memory in the second half of ${count} connects and disconnects`,
      against: 'in the first half, of each the least',
      where: 'this machine, netlink',
      ratio: spreadOf([later.min / earlier.min]),
      goal: { is: 'at most', value: 1.05 },
      ours: later,
      theirs: earlier,
      unit: 'MiB',
    };
  }

  #hold(count: number): void {
    this.#clients.push(this.#peer('hold', `${count}`));
    this.#sessions += count;
  }

  #peer(role: 'hold' | 'storm', ...args: readonly string[]): Peer {
    return startPeer(this.client, this.cleanup, role, this.server, `${PORT}`, ...args);
  }

  async #placed(): Promise<number> {
    const isPlaced = ({ state, current }: DaemonStatus['sessions'][number]) =>
      state === 'obeyed' && current === WANTED;
    const { sessions } = await this.#status('every session on its path', ({ sessions: all }) => {
      const placed = all.filter(isPlaced).length;
      return all.length === this.#sessions && placed === all.length;
    });
    return sessions.length;
  }

  async #forgotten(): Promise<void> {
    await until('the last hook', () => this.count() === 0, PATIENCE_MS);
    await this.#status('nobody', ({ sessions }) => sessions.length === 0);
  }

  async #status(what: string, holds: (status: DaemonStatus) => boolean): Promise<DaemonStatus> {
    return until(
      what,
      async () => {
        const [json = ''] = await talk(this.files.console, 'mptcp status json', { timeoutMs: PATIENCE_MS });
        const status = JSON.parse(json) as DaemonStatus;
        return holds(status) ? status : undefined;
      },
      PATIENCE_MS,
      1000,
    );
  }

  /** Memory of the daemon, MiB. */
  async #rss(): Promise<number> {
    return (await residentMiB(this.sidecar.pid ?? 0)).now;
  }

  #figure(name: string, against: string, value: number, unit: Unit): Figure {
    return { name, against, where: 'this machine, netlink', ours: spreadOf([value]), unit };
  }
}
