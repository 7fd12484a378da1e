import type { Connection } from '../../src/model/connection.js';
import type { Subflow } from '../../src/model/subflow.js';
import type { Config, RuleConfig, SteeringConfig } from '../../src/config/config.js';
import {
  INITIAL_MODES_STATE,
  stepModes,
  type Guidance,
  type ModesState,
  NO_GUIDANCE,
} from '../../src/steering/guidance.js';
import { placeSessions, sessionKey } from '../../src/steering/placed-session.js';
import type { ObservedSession } from '../../src/steering/snapshot.js';
import { configOf, standby, STEERING } from './config.js';

/** Mbit/s of payload that a client asks for; Infinity: a download, which uses all it gets. */
export type Demand = number;

/** An access point. */
export interface SimulatedPath {
  readonly name: string;
  /** Mbit/s of packets, with their headers. */
  readonly carries: number;
  /** The capacity in the config, Mbit/s; absent: none is written there. */
  readonly told?: number;
  /** Demands of foreign traffic, which subflowd does not see; can be changed. */
  foreigners: Demand[];
  /** Round-trip time without a queue, ms. */
  readonly delay?: number;
}

export interface SimulatedClient {
  readonly name: string;
  demand: Demand;
  /** Names of the paths that it has; can be changed. */
  paths: string[];
  isHere?: boolean;
}

export interface SimulationOptions {
  readonly steering?: Partial<SteeringConfig>;
  readonly rule?: Partial<RuleConfig>;
  readonly random?: () => number;
  /** Whether subflows have `minRtt`, as with the netlink backend; true by default. */
  readonly tellsMinRtt?: boolean;
}

/** Milliseconds. */
const TICK = 100;
/** The size of packets, as a multiple of their payload: headers of Ethernet, IP, TCP and MPTCP. */
const HEADERS = 1.06;
/** The same for what OpenVPN adds. */
const TUNNEL = 1.04;
/** The queue of an access point when it begins to drop packets, milliseconds. */
const BUFFER = 50;

/**
 * Simulates flows without packets, and steps the modes as the controller does. Each access point divides its capacity
 * equally among all flows. If they ask for more, its queue is full.
 */
export class FlowSimulation {
  now = 1_000_000;
  state: ModesState = INITIAL_MODES_STATE;
  guidance: Guidance = NO_GUIDANCE;
  /** Every change of a client's path. */
  readonly moves: { readonly at: number; readonly client: string; readonly to: string }[] = [];
  readonly #counters = new Map<string, { acked: number; received: number }>();
  readonly #primary = new Map<string, readonly string[]>();
  readonly #full = new Map<string, number>();
  #stepAt = 0;

  constructor(
    readonly paths: readonly SimulatedPath[],
    readonly clients: SimulatedClient[],
    readonly options: SimulationOptions = {},
  ) {}

  get config(): Config {
    return configOf([], {
      kernel: { backend: 'netlink', layout: 'btf' },
      paths: this.paths.map(({ name, told }, index) => ({
        name,
        prefixes: [`10.${index}.0.0/16`],
        ...(told !== undefined && { capacity: { down: told * 1e6, up: told * 1e6 } }),
      })),
      default: {
        ...standby([]),
        mode: 'balance',
        allowed: this.paths.map(({ name }) => name),
        ...this.options.rule,
      },
      steering: { ...STEERING, ...this.options.steering },
    });
  }

  /** Seconds. */
  run(seconds: number): void {
    for (const end = this.now + seconds * 1000; this.now < end; this.now += TICK) {
      this.#flow();
      if (Math.abs(this.#stepAt - this.now) >= 1000 || this.now >= this.#stepAt) this.step();
    }
  }

  step(): void {
    this.#stepAt = this.now + 999;
    const sessions = this.clients.filter(({ isHere = true }) => isHere).map((client) => this.observe(client));
    const placed = placeSessions({ sessions }, this.config, new Map());
    const { state, ...guidance } = stepModes(this.state, placed, this.config, this.now);
    this.state = state;
    this.guidance = guidance;
    for (const { session } of placed) {
      const active = guidance.choices.get(sessionKey(session))?.active ?? [];
      const before = this.#primary.get(session.commonName);
      if (active.length === 0 || active.join() === before?.join()) continue;
      this.#primary.set(session.commonName, active);
      this.moves.push({ at: this.now, client: session.commonName, to: active.join() });
    }
  }

  /** The clients' names on each path, where they are primary. */
  placement(): Record<string, string[]> {
    return Object.fromEntries(
      this.paths.map(({ name }) => [
        name,
        this.clients.filter((client) => this.#on(client).includes(name)).map((client) => client.name),
      ]),
    );
  }

  /** How many clients are on each path. */
  counts(): number[] {
    return Object.values(this.placement()).map((clients) => clients.length);
  }

  /** The load of the fullest path divided by its capacity, for constant demands only; 1 is full. */
  fullest(): number {
    return Math.max(
      ...this.paths.map((path) => {
        const asked = [...path.foreigners, ...this.#here(path).map(({ demand }) => demand)];
        return (asked.reduce((sum, more) => sum + more, 0) * TUNNEL) / path.carries;
      }),
    );
  }

  /** A client as an observation has it. */
  observe(client: SimulatedClient): ObservedSession {
    const number = this.clients.indexOf(client);
    const end = (path: string) => ({
      address: `10.${this.paths.findIndex(({ name }) => name === path)}.${number >> 8}.${number & 255}`,
      port: 40_000,
    });
    const local = { address: '192.0.2.1', port: 1194 };
    const remote = end(client.paths[0] ?? '');
    const on = this.#on(client);
    const subflows = client.paths.map((path): Subflow => {
      const { acked, received } = this.#counter(client, path);
      const rtt = this.#rtt(path);
      const { delay = 5 } = this.paths.find(({ name }) => name === path) ?? {};
      return {
        local,
        remote: end(path),
        ours: on.length === 0 || on.includes(path) ? 'active' : 'backup',
        peers: 'active',
        mpPrioPending: false,
        rtt,
        ...(this.options.tellsMinRtt !== false && { minRtt: delay * 1000 }),
        bytesAcked: Math.floor(acked),
        bytesReceived: Math.floor(received),
        retransmitted: 0,
      };
    });
    const connection: Connection = { pid: 1, remote, local, token: number, subflows };
    return {
      session: { server: 'a', pid: 1, commonName: client.name, real: remote, virtual: [] },
      connection,
    };
  }

  #here({ name }: SimulatedPath): SimulatedClient[] {
    return this.clients.filter((client) => (client.isHere ?? true) && this.#on(client).includes(name));
  }

  /** The active paths of a client: the first path that it has, until its mode chose. */
  #on(client: SimulatedClient): readonly string[] {
    const chosen = (this.#primary.get(client.name) ?? []).filter((path) => client.paths.includes(path));
    return chosen.length > 0 ? chosen : client.paths.slice(0, 1);
  }

  #counter(client: SimulatedClient, path: string): { acked: number; received: number } {
    const key = `${client.name} ${path}`;
    const counter = this.#counters.get(key) ?? { acked: 0, received: 0 };
    this.#counters.set(key, counter);
    return counter;
  }

  #rtt(path: string): number {
    const { delay = 5 } = this.paths.find(({ name }) => name === path) ?? {};
    const full = this.#full.get(path) ?? 0;
    const jitter = this.#random();
    const queue = full >= 1 ? BUFFER * (0.6 + 0.4 * jitter) : Math.min(BUFFER, (0.6 * full) / (1 - full));
    return Math.round((delay + queue + jitter) * 1000);
  }

  #flow(): void {
    for (const path of this.paths) {
      const here = this.#here(path).map((client) => ({
        client,
        asks: (client.demand / this.#on(client).length) * TUNNEL,
      }));
      const foreign = path.foreigners.map((demand) => ({ client: undefined, asks: demand * TUNNEL }));
      // the shares of infinite demands vary with time, as those of TCP connections do
      let flows = [...here, ...foreign].map((flow) => ({ ...flow, weight: 0.8 + 0.4 * this.#random() }));
      let left = path.carries / HEADERS;
      const asked = flows.reduce((sum, { asks }) => sum + asks, 0);
      this.#full.set(path.name, asked / left);
      for (let settled = true; settled && flows.length > 0;) {
        const weights = flows.reduce((sum, { weight }) => sum + weight, 0);
        const each = left / weights;
        const content = flows.filter(({ asks, weight }) => asks <= each * weight);
        for (const { client, asks } of content) this.#carry(client, path.name, asks);
        left -= content.reduce((sum, { asks }) => sum + asks, 0);
        flows = flows.filter((flow) => !content.includes(flow));
        settled = content.length > 0;
        if (!settled) for (const { client, weight } of flows) this.#carry(client, path.name, each * weight);
      }
    }
  }

  #carry(client: SimulatedClient | undefined, path: string, mbit: number): void {
    if (!client) return;
    const counter = this.#counter(client, path);
    counter.acked += (mbit * 1e6 * TICK) / 8000;
    counter.received += (mbit * 1e6 * 0.03 * TICK) / 8000;
  }

  #random(): number {
    return this.options.random?.() ?? 0.5;
  }
}
