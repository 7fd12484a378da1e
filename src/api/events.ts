import type { ReportedSwitch } from '../control/pending-switches.js';
import type { Endpoint } from '../model/endpoint.js';
import type { Priority } from '../model/subflow.js';
import type { ExcessSubflows } from '../model/subflow-limits.js';
import type { SessionState } from '../steering/plan.js';

/** A client that an event is about: NAME of its server's `[openvpn NAME]` section, and its common name. */
interface ClientEvent {
  readonly server: string;
  readonly commonName: string;
}

/** The daemon has started. Every console is open. */
export interface ReadyEvent {
  readonly kind: 'ready';
  readonly version: string;
  readonly servers: readonly string[];
  /** Name of the backend, and how it works on this host. */
  readonly backend: { readonly name: string; readonly description: string };
}

/** The daemon has stopped. Every subflow keeps its priority. */
export interface StoppedEvent {
  readonly kind: 'stopped';
}

/** A client's primary path changed, a later observation confirmed it, and it is known whether traffic followed. */
export interface SwitchEvent extends ClientEvent, Omit<ReportedSwitch, 'session'> {
  readonly kind: 'switch';
}

/** A session has another state than before: whether it is as its rule wants it. */
export interface SessionEvent extends ClientEvent {
  readonly kind: 'session';
  readonly state: SessionState;
  readonly reason: string;
}

/** A client's subflow was added or removed, or its priority or path changed. */
export interface SubflowEvent extends ClientEvent {
  readonly kind: 'subflow';
  readonly change: 'added' | 'removed' | 'changed';
  /** Absent: on no path of the config. */
  readonly path?: string;
  /** Whether it runs through the tunnel itself, so it is on no path. */
  readonly throughTunnel: boolean;
  /** The client's end. */
  readonly remote: Endpoint;
  readonly ours: Priority;
  readonly peers: Priority;
}

/** A client that lost a wanted path was disconnected at an idle moment, so that it comes back with all its paths. */
export interface RejoinEvent extends ClientEvent {
  readonly kind: 'rejoin';
  /** The wanted paths that it lost. */
  readonly paths: readonly string[];
  /** How long it lacked the first of them, milliseconds. */
  readonly lackedMs: number;
  /** The section whose `rejoin-after` asked for it: `[client GLOB]` or `[default]`. */
  readonly by: string;
}

/** Subflows above a connection's limit were closed. */
export interface ExcessSubflowsEvent extends ExcessSubflows {
  readonly kind: 'excess-subflows';
  /** The clients whose subflows were closed, one sentence. */
  readonly text: string;
}

/** A changed config is in force. */
export interface ConfigEvent {
  readonly kind: 'config';
  /** Sections whose change takes effect only after a restart. */
  readonly needRestart: readonly string[];
}

/** A changed config file has mistakes. The config before stays in force. */
export interface ConfigMistakeEvent {
  readonly kind: 'config-mistake';
  /** One sentence each. */
  readonly mistakes: readonly string[];
}

/** An admin set or removed an override. */
export interface OverrideEvent {
  readonly kind: 'override';
  /** `SERVER/COMMON NAME` */
  readonly client: string;
  /** The path; absent: the override was removed. */
  readonly to?: string;
  /** Who gave the command, as text for an admin. */
  readonly by: string;
}

/** A console client gave an order: a command that changes OpenVPN for everybody, such as `kill alice`. */
export interface OrderEvent {
  readonly kind: 'order';
  readonly server: string;
  /** The number of the console client. */
  readonly client: number;
  /** Without parameters that can be secret. */
  readonly command: string;
}

/** Somebody used wrong passwords at the console of a server on TCP. */
export interface WrongPasswordEvent {
  readonly kind: 'wrong-password';
  readonly server: string;
  /** The addresses and the number of attempts, one sentence. */
  readonly text: string;
}

/** There is something that an admin should fix. It lasts until a `resolved` event, or happened once. */
export interface ProblemEvent {
  readonly kind: 'problem';
  /** One sentence. */
  readonly text: string;
  /** `error`: something that an admin did is lost or not in force. */
  readonly severity: 'warn' | 'error';
}

/** A lasting problem is over. */
export interface ResolvedEvent {
  readonly kind: 'resolved';
  /** The text of the problem. */
  readonly text: string;
}

/** Something that happened, as data. The log, `mptcp watch` and the counters are made from events. */
export type DaemonEvent =
  | ReadyEvent
  | StoppedEvent
  | SwitchEvent
  | SessionEvent
  | SubflowEvent
  | RejoinEvent
  | ExcessSubflowsEvent
  | ConfigEvent
  | ConfigMistakeEvent
  | OverrideEvent
  | OrderEvent
  | WrongPasswordEvent
  | ProblemEvent
  | ResolvedEvent;

/** An event of one kind. */
export type EventOf<Kind extends DaemonEvent['kind']> = Extract<DaemonEvent, { readonly kind: Kind }>;

/** Passes each event to all subscribers, in the order in which they subscribed. */
export class EventStream {
  readonly #listeners = new Set<(event: DaemonEvent) => void>();

  /** @returns the function that ends the subscription. */
  subscribe(listener: (event: DaemonEvent) => void): () => void {
    // A new function, so that the same listener can subscribe twice.
    const own = (event: DaemonEvent) => {
      listener(event);
    };
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Calls every subscriber before it returns. */
  publish(event: DaemonEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
