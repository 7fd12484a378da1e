import type { Connection } from '../../../src/model/connection.js';
import type { Priority } from '../../../src/model/subflow.js';
import type { Config } from '../../../src/config/config.js';
import type { ConfigMistake } from '../../../src/api/config-mistake.js';
import { Counters } from '../../../src/api/counters.js';
import type { DaemonApi } from '../../../src/api/daemon-api.js';
import { EventStream, type EventOf } from '../../../src/api/events.js';
import { explain, type Explanation } from '../../../src/api/explanation.js';
import type { DaemonStatus } from '../../../src/api/status.js';
import type { Written } from '../../../src/control/controller.js';
import { OverrideStore } from '../../../src/control/overrides.js';
import type { Endpoint } from '../../../src/model/endpoint.js';
import { qualifiedName, type Session } from '../../../src/model/session.js';
import { NO_GUIDANCE } from '../../../src/steering/guidance.js';
import { plan } from '../../../src/steering/plan.js';
import type { ObservedSession } from '../../../src/steering/snapshot.js';
import { LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { configOf } from '../../support/config.js';

export const BACKEND: DaemonStatus['backend'] = { name: 'devmem', description: 'mapped', tellsPeer: true };

/** A client whose connection has one subflow for each remote end. This host asks for the same priority for each. */
export function client(
  commonName: string,
  {
    server = 'lab',
    remotes = [WIFI, LTE],
    wish = 'active',
  }: { readonly server?: string; readonly remotes?: readonly Endpoint[]; readonly wish?: Priority } = {},
): ObservedSession {
  const [real = WIFI] = remotes;
  const session: Session = { server, pid: PID, commonName, real, virtual: ['10.8.0.2'] };
  const subflow = (remote: Endpoint) =>
    ({ local: SERVER, remote, ours: wish, peers: 'active', mpPrioPending: false }) as const;
  const connection: Connection = {
    pid: PID,
    remote: real,
    local: SERVER,
    token: 1,
    subflows: remotes.map(subflow),
  };
  return { session, connection };
}

/** The status of a daemon without servers and sessions, with the members that a test gives. */
export function statusOf(more: Partial<DaemonStatus> = {}): DaemonStatus {
  return {
    version: '0.1.0',
    kernel: '6.1.0',
    backend: BACKEND,
    servers: [],
    dryRun: false,
    paths: [],
    sessions: [],
    overrides: {},
    counters: new Counters(new EventStream(), 0).values(),
    problems: [],
    reports: [],
    reported: [],
    ...more,
  };
}

/** A client's switch from wifi to lte, as the daemon reports it. */
export function switchOf(more: Partial<EventOf<'switch'>> = {}): EventOf<'switch'> {
  return {
    kind: 'switch',
    server: 'lab',
    commonName: 'alice',
    from: 'wifi',
    to: 'lte',
    committedAt: 1_000,
    reason: 'lte is primary by [default]',
    by: '[default]',
    peerNotified: true,
    traffic: 'moved',
    ...more,
  };
}

/** A daemon with real plans and overrides. The clients come from a test instead of a kernel. */
export class Steered implements DaemonApi {
  rules: Config = configOf(['wifi']);
  readonly events = new EventStream();
  readonly counters = new Counters(this.events, 0);
  /** Thrown by `reload`. */
  mistake: Error | undefined;
  /** What is wrong with the config file. */
  fileMistake: ConfigMistake | undefined;
  writes: Written | undefined;
  readonly #overrides: OverrideStore;
  loads: DaemonStatus['paths'] = [];
  problems: readonly string[] = [];
  servers: DaemonStatus['servers'] = [];
  /** Stands for a round of the control loop; `setOverride` waits for it. Whether it ended in time. */
  round: Promise<boolean> = Promise.resolve(true);

  constructor(
    overridesFile: string,
    public clients: readonly ObservedSession[],
  ) {
    this.#overrides = new OverrideStore(overridesFile);
  }

  /** Called by `observe`, to change the clients. */
  onObserve: () => void = () => undefined;

  observe(): Promise<void> {
    this.onObserve();
    return Promise.resolve();
  }

  status(): DaemonStatus {
    const { sessions } = plan({ sessions: this.clients }, this.rules, this.#overrides.all());
    return statusOf({
      servers: this.servers,
      dryRun: this.rules.steering.dryRun,
      paths: this.loads,
      sessions,
      overrides: Object.fromEntries(this.#overrides.all()),
      counters: this.counters.values(),
      problems: this.problems,
    });
  }

  config(): Config {
    return this.rules;
  }

  configMistake(): ConfigMistake | undefined {
    return this.fileMistake;
  }

  reload(): Promise<void> {
    return this.mistake ? Promise.reject(this.mistake) : Promise.resolve();
  }

  explain(key: string): readonly Explanation[] {
    return explain(
      this.status().sessions.filter(({ session }) => qualifiedName(session) === key),
      {
        config: this.rules,
        guidance: { ...NO_GUIDANCE, loads: this.loads },
        now: 0,
        written: () => this.writes,
      },
    );
  }

  sessions(): readonly Session[] {
    return this.clients.map(({ session }) => session);
  }

  async setOverride(key: string, path: string | undefined): Promise<boolean> {
    this.#overrides.set(key, path);
    return this.round;
  }
}
