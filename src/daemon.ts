import { release } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { ConfigHistory, type ConfigMistake } from './api/config-mistake.js';
import { Counters } from './api/counters.js';
import type { DaemonApi } from './api/daemon-api.js';
import { logEvents } from './api/event-log.js';
import { EventStream } from './api/events.js';
import { explain, type Explanation } from './api/explanation.js';
import { Reports } from './api/reports.js';
import type { DaemonStatus } from './api/status.js';
import type { Backend } from './backend/backend.js';
import type { OpenBackend } from './backend/open.js';
import type { Config } from './config/config.js';
import { watchConfig, type ConfigWatcher } from './config/watch.js';
import { Consoles } from './console/consoles.js';
import { Controller } from './control/controller.js';
import { excessText } from './control/excess-text.js';
import { OverrideStore } from './control/overrides.js';
import { SHOWN_WITHIN_MS } from './control/pauses.js';
import { QuotaStore } from './control/quota-store.js';
import { Rejoiner } from './control/rejoiner.js';
import { qualifiedName, type Session } from './model/session.js';
import { disconnectClient } from './openvpn/disconnect-client.js';
import { openKernelAccess } from './open-kernel-access.js';
import { Servers } from './openvpn/servers.js';
import type { Logger } from './util/log.js';
import { within } from './util/within.js';
import { VERSION } from './version.js';

/**
 * The daemon: creates the parts and connects them. When it stops, all priorities stay as they are. After a restart it
 * observes everything again, except the overrides, which are in a file.
 */
export class Daemon implements DaemonApi {
  readonly #counters: Counters;
  readonly #backend: Backend;
  /** Why this backend was chosen: what follows `because` in a sentence. */
  readonly #backendReason: string;
  readonly #watcher: ConfigWatcher;
  readonly #overrides: OverrideStore;
  readonly #quotas: QuotaStore;
  readonly #rejoiner: Rejoiner;
  readonly #controller: Controller;
  readonly #servers: Servers;
  readonly #consoles: Consoles;
  #config: Config;
  readonly #configHistory = new ConfigHistory(Date.now());
  /** Problems and events for status: not every admin reads the log. */
  readonly #reports = new Reports();

  /**
   * Starts serving a config file.
   * @param helper its socket; undefined: this process does its work, too.
   * @throws {ConfigError} if the file has a mistake; {KernelError} if no backend works here; {Error} if a console cannot be opened.
   */
  static async start(configFile: string, log: Logger, helper?: string): Promise<Daemon> {
    const events = new EventStream();
    logEvents(events, log);
    let daemon: Daemon | undefined;
    const watcher = await watchConfig(configFile, {
      onConfig: (config) => daemon?.reconfigure(config),
      onMistake: (error) => {
        const mistakes = error.message.split('\n');
        if (daemon) daemon.#configHistory.addMistakes(mistakes);
        events.publish({ kind: 'config-mistake', mistakes });
      },
    });
    let opened: OpenBackend | undefined;
    try {
      const overrides = new OverrideStore(watcher.config.console.overrides);
      for (const text of overrides.problems()) events.publish({ kind: 'problem', text, severity: 'error' });
      opened = await openKernelAccess(watcher.config.kernel, {
        helper,
        onLost: (text) => {
          if (daemon) daemon.#reportProblem(text, 'helper');
        },
        onBack: () => {
          if (daemon) daemon.#resolveProblem('helper');
        },
      });
      daemon = new Daemon(events, opened, watcher, overrides);
      await daemon.#open();
      return daemon;
    } catch (error) {
      await watcher.close();
      await opened?.backend.close();
      throw error;
    }
  }

  private constructor(
    readonly events: EventStream,
    { backend, because }: OpenBackend,
    watcher: ConfigWatcher,
    overrides: OverrideStore,
  ) {
    this.#counters = new Counters(events, Date.now());
    this.#backend = backend;
    this.#backendReason = because;
    this.#watcher = watcher;
    this.#config = watcher.config;
    this.#overrides = overrides;
    this.#quotas = new QuotaStore(this.#config.console.quotas, {
      onProblem: (text, key) => {
        this.#reportProblem(text, `quotas ${key}`);
      },
      onResolved: (key) => {
        this.#resolveProblem(`quotas ${key}`);
      },
    });
    this.#rejoiner = new Rejoiner({
      disconnect: (session) => disconnectClient(this.#servers.managementOf(session), session),
      onRejoin: ({ session: { server, commonName }, ...made }) => {
        this.events.publish({ kind: 'rejoin', server, commonName, ...made });
      },
      onProblem: (text) => {
        this.#reportProblem(text);
      },
    });
    const refresh = () => void this.#controller.refresh();
    this.#servers = new Servers(this.#config.servers)
      .on('status', () => {
        this.#backend.trackServers?.(this.#servers.pids());
      })
      .on('change', refresh)
      .on('observe', refresh)
      .on('problem', (problem, key) => {
        this.#reportProblem(problem, key);
      })
      .on('resolved', (key) => {
        this.#resolveProblem(key);
      });
    this.#controller = new Controller({
      backend,
      sessions: () => this.#servers.sessions(),
      sessionsWithoutPort: () => this.#servers.sessionsWithoutPort(),
      pids: () => this.#servers.pids(),
      config: () => this.#config,
      overrides: () => overrides.all(),
      quotas: () => this.#quotas.accounts(),
    });
    backend.onChange?.(refresh);
    backend.onExcess?.((excess) => {
      const text = excessText(excess, this.#servers.sessions());
      this.events.publish({ kind: 'excess-subflows', ...excess, text });
      this.#reports.addEvent(text, 'excess subflows', Date.now());
    });
    this.#consoles = new Consoles(this.#config.console, this, {
      onProblem: (problem) => {
        this.#reportProblem(problem, `console ${problem}`);
      },
      onOrder: (server, client, command) => {
        this.events.publish({ kind: 'order', server, client, command });
      },
      onWrongPassword: (server, text) => {
        this.events.publish({ kind: 'wrong-password', server, text });
      },
    });
    this.#controller
      .on('applied', (applied) => {
        this.#counters.addChanges(applied);
      })
      .on('round', (plan) => {
        this.#counters.addRound(plan);
        this.#quotas.addRound(plan);
        this.#rejoiner.addRound(plan, this.#config.steering.dryRun, performance.now());
      })
      .on('switch', ({ session: { server, commonName }, ...made }) => {
        this.events.publish({ kind: 'switch', server, commonName, ...made });
      })
      .on('session', ({ session: { server, commonName }, state, reason }) => {
        this.events.publish({ kind: 'session', server, commonName, state, reason });
      })
      .on('missing', (sessions) => {
        this.#servers.handleMissing(sessions);
      })
      .on('problem', (text) => {
        this.events.publish({ kind: 'problem', text, severity: 'warn' });
      });
  }

  async #open(): Promise<void> {
    await this.#consoles.open(this.#servers.servers());
    this.#servers.start();
    this.#controller.start();
    this.events.publish({
      kind: 'ready',
      version: VERSION,
      servers: this.#config.servers.map(({ name }) => name),
      backend: { name: this.#backend.name, description: this.#describe() },
    });
  }

  /** Stops observing and serving. Every subflow stays as it is. */
  async stop(): Promise<void> {
    await this.#watcher.close();
    this.#servers.stop();
    await this.#controller.stop();
    await this.#quotas.close();
    await this.#consoles.close();
    await this.#backend.close();
    await this.#servers.closed();
    this.events.publish({ kind: 'stopped' });
  }

  /** Applies a new config. */
  reconfigure(config: Config): void {
    const old = this.#config;
    this.#config = config;
    this.#configHistory.addConfig(Date.now());
    this.events.publish({
      kind: 'config',
      needRestart: (['kernel', 'console'] as const).filter(
        (section) => !isDeepStrictEqual(old[section], config[section]),
      ),
    });
    if (!isDeepStrictEqual(old.servers, config.servers)) {
      this.#servers.reconfigure(config.servers);
      // each console that cannot be opened is reported again
      this.#reports.resolveMatching((key) => key.startsWith('console '));
      this.#consoles.follow(this.#servers.servers());
    }
    void this.#controller.refresh();
  }

  status(): DaemonStatus {
    const { name, notifiesPeer } = this.#backend;
    const reported = this.#reports.all(Date.now());
    const configMistake = this.configMistake();
    return {
      version: VERSION,
      kernel: release(),
      backend: { name, description: this.#describe(), tellsPeer: notifiesPeer },
      servers: this.#servers.servers().map((server) => server.status()),
      dryRun: this.#config.steering.dryRun,
      ...this.#controller.current(),
      overrides: Object.fromEntries(this.#overrides.all()),
      counters: this.#counters.values(),
      ...(configMistake && { configMistake }),
      problems: [...this.#overrides.problems(), ...this.#controller.problems()],
      reports: reported.map(({ text }) => text),
      reported,
    };
  }

  /** Resolves when the plan is recent enough to be shown. */
  async observe(): Promise<void> {
    await within(this.#controller.observe(), SHOWN_WITHIN_MS);
  }

  config(): Config {
    return this.#config;
  }

  configMistake(): ConfigMistake | undefined {
    return this.#configHistory.mistake();
  }

  reload(): Promise<void> {
    return this.#watcher.reload();
  }

  sessions(): readonly Session[] {
    return this.#controller.current().sessions.map(({ session }) => session);
  }

  explain(client: string): readonly Explanation[] {
    const plans = this.#controller.current().sessions;
    return explain(
      plans.filter(({ session }) => qualifiedName(session) === client),
      {
        config: this.#config,
        guidance: this.#controller.guidance(),
        now: performance.now(),
        written: (plan) => this.#controller.written(plan),
      },
    );
  }

  async setOverride(client: string, path: string | undefined, by: string): Promise<boolean> {
    this.#overrides.set(client, path);
    this.events.publish({ kind: 'override', client, ...(path !== undefined && { to: path }), by });
    return within(this.#controller.refresh(), SHOWN_WITHIN_MS);
  }

  #describe(): string {
    return `${this.#backend.description}; chosen because ${this.#backendReason}`;
  }

  #resolveProblem(key: string): void {
    const resolved = this.#reports.resolve(key);
    if (resolved) this.events.publish({ kind: 'resolved', text: resolved.text });
  }

  #reportProblem(text: string, key?: string): void {
    this.events.publish({ kind: 'problem', text, severity: 'warn' });
    this.#reports.add(text, key, Date.now());
  }
}
