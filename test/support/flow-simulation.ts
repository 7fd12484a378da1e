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

/** The payload that a client wants, Mbit/s. A download is Infinity: it uses whatever it gets. */
export type Demand = number;

/** An access point. */
export interface SimulatedPath {
  readonly name: string;
  /** The real capacity, Mbit/s of packets with their headers. */
  readonly capacity: number;
  /** The capacity in the config, Mbit/s; absent if the config has none. */
  readonly configured?: number;
  /** Demands of foreign traffic, which subflowd does not see. They can be changed. */
  foreignDemands: Demand[];
  /** Round-trip time without a queue, ms. */
  readonly delay?: number;
}

export interface SimulatedClient {
  readonly name: string;
  demand: Demand;
  /** Names of the paths that it has. They can be changed. */
  paths: string[];
  /** Whether it is connected; true by default. */
  isConnected?: boolean;
}

export interface SimulationOptions {
  readonly steering?: Partial<SteeringConfig>;
  readonly rule?: Partial<RuleConfig>;
  readonly random?: () => number;
  /** Milliseconds between two steps of the modes; 1000 by default. */
  readonly roundMs?: number;
  /** Whether subflows have `minRtt`, as with the netlink backend; true by default. */
  readonly hasMinRtt?: boolean;
}

/** Duration of one step of the simulation. */
const TICK_MS = 100;
/** The size of packets, as a multiple of their payload: headers of Ethernet, IP, TCP and MPTCP. */
const HEADERS = 1.06;
/** The size of OpenVPN's packets, as a multiple of the packets in the tunnel. */
const TUNNEL = 1.04;
/** The length of an access point's queue when it begins to drop packets. */
const QUEUE_MS = 50;

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
  /** By path: what its flows want, divided by what it can carry. */
  readonly #fullness = new Map<string, number>();
  #stepAt = 0;

  constructor(
    readonly paths: readonly SimulatedPath[],
    readonly clients: SimulatedClient[],
    readonly options: SimulationOptions = {},
  ) {}

  get config(): Config {
    return configOf([], {
      kernel: { backend: 'netlink', layout: 'btf' },
      paths: this.paths.map(({ name, configured }, index) => ({
        name,
        prefixes: [`10.${index}.0.0/16`],
        maxLoss: 0.1,
        ...(configured !== undefined && { capacity: { down: configured * 1e6, up: configured * 1e6 } }),
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

  /** Runs the simulation for this many seconds, with a step of the modes each second or each `roundMs`. */
  run(seconds: number): void {
    for (const end = this.now + seconds * 1000; this.now < end; this.now += TICK_MS) {
      this.#flow();
      if (Math.abs(this.#stepAt - this.now) >= this.#roundMs || this.now >= this.#stepAt) this.step();
    }
  }

  get #roundMs(): number {
    return this.options.roundMs ?? 1000;
  }

  /** One step of the modes, as in one round of the controller. */
  step(): void {
    this.#stepAt = this.now + this.#roundMs - 1;
    const sessions = this.clients.filter(isConnected).map((client) => this.observe(client));
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

  /** By path: the names of the clients that use it. */
  placement(): Record<string, string[]> {
    return Object.fromEntries(
      this.paths.map(({ name }) => [
        name,
        this.clients.filter((client) => this.#on(client).includes(name)).map((client) => client.name),
      ]),
    );
  }

  /** The number of clients on each path. */
  counts(): number[] {
    return Object.values(this.placement()).map((clients) => clients.length);
  }

  /** The load of the fullest path divided by its capacity, for constant demands only; 1 is full. */
  fullest(): number {
    return Math.max(
      ...this.paths.map((path) => {
        const demands = [...path.foreignDemands, ...this.#clientsOn(path).map(({ demand }) => demand)];
        return (demands.reduce((sum, demand) => sum + demand, 0) * TUNNEL) / path.capacity;
      }),
    );
  }

  /** A client as an observation shows it. */
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
        ...(this.options.hasMinRtt !== false && { minRtt: delay * 1000 }),
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

  #clientsOn({ name }: SimulatedPath): SimulatedClient[] {
    return this.clients.filter((client) => isConnected(client) && this.#on(client).includes(name));
  }

  /** The active paths of a client. Until its mode has chosen, this is its first path. */
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
    const fullness = this.#fullness.get(path) ?? 0;
    const jitter = this.#random();
    const queue =
      fullness >= 1 ? QUEUE_MS * (0.6 + 0.4 * jitter) : Math.min(QUEUE_MS, (0.6 * fullness) / (1 - fullness));
    return Math.round((delay + queue + jitter) * 1000);
  }

  /** Divides each path's capacity among its flows for one tick. A flow gets its weighted share at most, or what it wants. */
  #flow(): void {
    for (const path of this.paths) {
      const own = this.#clientsOn(path).map((client) => ({
        client,
        wanted: (client.demand / this.#on(client).length) * TUNNEL,
      }));
      const foreign = path.foreignDemands.map((demand) => ({ client: undefined, wanted: demand * TUNNEL }));
      // the shares of infinite demands vary with time, as those of TCP connections do
      let flows = [...own, ...foreign].map((flow) => ({ ...flow, weight: 0.8 + 0.4 * this.#random() }));
      let left = path.capacity / HEADERS;
      const wantedByAll = flows.reduce((sum, { wanted }) => sum + wanted, 0);
      this.#fullness.set(path.name, wantedByAll / left);
      for (let hasChanged = true; hasChanged && flows.length > 0;) {
        const weights = flows.reduce((sum, { weight }) => sum + weight, 0);
        const share = left / weights;
        const satisfied = flows.filter(({ wanted, weight }) => wanted <= share * weight);
        for (const { client, wanted } of satisfied) this.#carry(client, path.name, wanted);
        left -= satisfied.reduce((sum, { wanted }) => sum + wanted, 0);
        flows = flows.filter((flow) => !satisfied.includes(flow));
        hasChanged = satisfied.length > 0;
        if (!hasChanged)
          for (const { client, weight } of flows) this.#carry(client, path.name, share * weight);
      }
    }
  }

  #carry(client: SimulatedClient | undefined, path: string, mbit: number): void {
    if (!client) return;
    const counter = this.#counter(client, path);
    counter.acked += (mbit * 1e6 * TICK_MS) / 8000;
    counter.received += (mbit * 1e6 * 0.03 * TICK_MS) / 8000;
  }

  #random(): number {
    return this.options.random?.() ?? 0.5;
  }
}

function isConnected(client: SimulatedClient): boolean {
  return client.isConnected ?? true;
}
