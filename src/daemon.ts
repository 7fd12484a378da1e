import { release } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Backend } from './backend/backend.js';
import { openBackend, type OpenBackend } from './backend/open.js';
import type { Config, ServerConfig } from './config/config.js';
import { watchConfig, type ConfigWatcher } from './config/watch.js';
import type { Commanded } from './console/commands.js';
import { Consoles } from './console/consoles.js';
import type { Tell } from './console/seat.js';
import type { DaemonStatus } from './api/status.js';
import { Watchers } from './console/watchers.js';
import { Controller, type Written } from './control/controller.js';
import { excessText } from './control/excess-text.js';
import { OverrideStore } from './control/overrides.js';
import type { Logger } from './util/log.js';
import { Servers } from './openvpn/servers.js';
import { Reports } from './api/reports.js';
import type { SessionPlan } from './steering/plan.js';
import { VERSION } from './version.js';

/**
 * The sidecar: builds the parts and joins them. What it does to the kernel stays as it is when it stops, and everything
 * it knows but the overrides it can observe again.
 */
export class Daemon implements Commanded {
  readonly #log: Logger;
  readonly #backend: Backend;
  readonly #because: string;
  readonly #watcher: ConfigWatcher;
  readonly #overrides: OverrideStore;
  readonly #controller: Controller;
  readonly #watchers = new Watchers();
  readonly #servers: Servers;
  readonly #consoles: Consoles;
  #config: Config;
  /** What servers told of: for an admin who has no log at hand. */
  readonly #reports = new Reports();

  /**
   * Starts serving a config file.
   * @throws {ConfigError} if the file is wrong; {KernelError} if this kernel cannot be used; {Error} if the console
   * cannot be opened.
   */
  static async start(configFile: string, log: Logger): Promise<Daemon> {
    let daemon: Daemon | undefined;
    const watcher = await watchConfig(configFile, {
      onConfig: (config) => daemon?.reconfigure(config),
      onMistake: (error) => {
        for (const line of error.message.split('\n'))
          log.error({ event: 'config-mistake' }, `${line} (the old rules go on)`);
      },
    });
    let opened: OpenBackend | undefined;
    try {
      const overrides = new OverrideStore(watcher.config.console.overrides);
      for (const problem of overrides.problems()) log.error({ event: 'problem' }, problem);
      opened = await openBackend(watcher.config.kernel);
      daemon = new Daemon(log, opened, watcher, overrides);
      await daemon.#open();
      return daemon;
    } catch (error) {
      await watcher.close();
      await opened?.backend.close();
      throw error;
    }
  }

  private constructor(
    log: Logger,
    { backend, because }: OpenBackend,
    watcher: ConfigWatcher,
    overrides: OverrideStore,
  ) {
    this.#log = log;
    this.#backend = backend;
    this.#because = because;
    this.#watcher = watcher;
    this.#config = watcher.config;
    this.#overrides = overrides;
    this.#servers = this.#listenTo(this.#config.servers);
    this.#controller = new Controller({
      backend,
      sessions: () => this.#servers.sessions(),
      unplaced: () => this.#servers.unplaced(),
      pids: () => this.#pids(),
      config: () => this.#config,
      overrides: () => overrides.all(),
    });
    backend.onChange?.(() => {
      void this.#controller.refresh();
    });
    backend.onExcess?.((excess) => {
      const text = excessText(excess, this.#servers.sessions());
      log.warn({ event: 'excess-subflows', ...excess }, text);
      this.#reports.happened(text, 'excess subflows', Date.now());
    });
    this.#consoles = new Consoles(this.#config.console, this, {
      onProblem: (problem) => {
        this.#tellProblem(problem, `console ${problem}`);
      },
      onOrder: (server, client, command) => {
        log.info(
          { event: 'order', server, client, command },
          `${server}: client ${client} of its console says ${command}`,
        );
      },
      onWrongPassword: (server, text) => {
        log.warn({ event: 'wrong-password', server }, `${server}: ${text} at its console on TCP`);
      },
    });
    this.#controller
      .on('round', (plan) => {
        this.#watchers.observed(plan);
      })
      .on('switch', (made) => {
        this.#watchers.switched(made);
        const { session, from, to, committedAt, peerTold } = made;
        const { server, commonName } = session;
        log.info(
          { event: 'switch', committedAt, server, commonName, from: from ?? null, to, peerTold },
          `${commonName}: ${from === undefined ? '' : `from ${from} `}to ${to}${peerTold ? '' : ' (the client is not told)'}`,
        );
      })
      .on('session', ({ session: { server, commonName }, state, reason }) => {
        log.info({ event: 'session', server, commonName, state }, `${commonName}: ${state}, ${reason}`);
      })
      .on('missing', (sessions) => {
        this.#servers.missing(sessions);
      })
      .on('problem', (problem) => {
        log.warn({ event: 'problem' }, problem);
      });
  }

  async #open(): Promise<void> {
    await this.#consoles.open(this.#servers.servers());
    this.#servers.start();
    this.#controller.start();
    this.#log.info(
      { event: 'ready', backend: this.#backend.name },
      `subflowd ${VERSION} serves ${this.#config.servers.map(({ name }) => name).join(', ')} through ${this.#backend.name}: ${this.#describe()}`,
    );
  }

  /** Stops looking and listening; every subflow stays as it is. */
  async stop(): Promise<void> {
    await this.#watcher.close();
    this.#servers.stop();
    await this.#controller.stop();
    await this.#consoles.close();
    await this.#backend.close();
    this.#log.info({ event: 'stopped' }, 'stopped; every subflow stays as it is');
  }

  /** Takes a new config into force. */
  reconfigure(config: Config): void {
    const old = this.#config;
    this.#config = config;
    this.#log.info({ event: 'config' }, 'the changed config is in force');
    for (const section of ['kernel', 'console'] as const) {
      if (isDeepStrictEqual(old[section], config[section])) continue;
      this.#log.warn(
        { event: 'config' },
        `[${section}] changed: that takes effect when subflowd is restarted`,
      );
    }
    if (!isDeepStrictEqual(old.servers, config.servers)) {
      this.#servers.reconfigure(config.servers);
      // each that cannot be opened is told of anew
      this.#reports.resolveThose((key) => key.startsWith('console '));
      this.#consoles.follow(this.#servers.servers());
    }
    void this.#controller.refresh();
  }

  status(): DaemonStatus {
    const { name, tellsPeer } = this.#backend;
    const reported = this.#reports.all(Date.now());
    return {
      version: VERSION,
      kernel: release(),
      backend: { name, description: this.#describe(), tellsPeer },
      servers: this.#servers.servers().map((server) => server.status()),
      dryRun: this.#config.steering.dryRun,
      ...this.#controller.current(),
      overrides: Object.fromEntries(this.#overrides.all()),
      problems: [...this.#overrides.problems(), ...this.#controller.problems()],
      reports: reported.map(({ text }) => text),
      reported,
    };
  }

  look(): Promise<void> {
    return this.#controller.look();
  }

  config(): Config {
    return this.#config;
  }

  reload(): Promise<void> {
    return this.#watcher.reload();
  }

  guidance(): ReturnType<Commanded['guidance']> {
    return { guidance: this.#controller.guidance(), now: performance.now() };
  }

  written(session: SessionPlan): Written | undefined {
    return this.#controller.written(session);
  }

  watch(tell: Tell): () => void {
    return this.#watchers.add(tell);
  }

  sessions(): ReturnType<Commanded['sessions']> {
    return this.#controller.current().sessions.map(({ session }) => session);
  }

  async setOverride(key: string, path: string | undefined): Promise<void> {
    this.#overrides.set(key, path);
    this.#log.info(
      { event: 'override', key, path: path ?? null },
      `override of ${key}: ${path ?? 'taken back'}`,
    );
    await this.#controller.refresh();
  }

  #pids(): number[] {
    return this.#servers.servers().flatMap((server) => server.status().pids);
  }

  #describe(): string {
    return `${this.#backend.description}; chosen because ${this.#because}`;
  }

  #listenTo(configs: readonly ServerConfig[]): Servers {
    return new Servers(configs)
      .on('status', () => {
        this.#backend.attend?.(this.#pids());
      })
      .on('change', () => {
        void this.#controller.refresh();
      })
      .on('look', () => {
        void this.#controller.refresh();
      })
      .on('problem', (problem, key) => {
        this.#tellProblem(problem, key);
      })
      .on('resolved', (key) => {
        const known = this.#reports.resolve(key);
        if (known) this.#log.info({ event: 'resolved' }, `no longer: ${known.text}`);
      });
  }

  #tellProblem(problem: string, key?: string): void {
    this.#log.warn({ event: 'problem' }, problem);
    this.#reports.add(problem, key, Date.now());
  }
}
