import type { BackendName } from '../model/backend-name.js';
import type { Mode } from '../model/mode.js';
import type { Quota } from '../model/quota.js';
import type { Rate } from '../model/rate.js';
import type { ManagementAddress } from './management.js';

/** `subflowd.ini` after parsing: checked, with all defaults filled in. */
export interface Config {
  readonly servers: readonly ServerConfig[];
  readonly kernel: KernelConfig;
  readonly console: ConsoleConfig;
  readonly paths: readonly PathConfig[];
  /** In the order of the file. */
  readonly clients: readonly ClientConfig[];
  readonly default: RuleConfig;
  readonly steering: SteeringConfig;
}

/** `[openvpn NAME]`: one OpenVPN process. */
export interface ServerConfig {
  readonly name: string;
  /** The address of its management interface; absent if subflowd knows its clients only from the hooks. */
  readonly management?: ManagementAddress;
  /** File whose first line is the management password. */
  readonly passwordFile?: string;
  /** The user, by name or number, who may listen at that address besides root. */
  readonly managementUser?: string;
  /** Directory that the hooks record into. */
  readonly events: string;
  /** The console that shares its management interface; present if there is a `management`. */
  readonly console?: ServerConsoleConfig;
  /** Addresses of the server that are announced to its clients, canonical text, each once; absent: none. */
  readonly announce?: readonly string[];
}

/** The console of one server. */
export interface ServerConsoleConfig {
  /** Path of the unix socket. It has the mode and the group of `[console]`. */
  readonly socket: string;
  /** Its address on TCP, which it listens on too. */
  readonly listen?: { readonly host: string; readonly port: number };
  /**
   * An address, or the path of a unix socket, for a program that decides about clients: its first client claims `auth`
   * without a command.
   */
  readonly auth?: ManagementAddress;
  /** File whose first line is the password on TCP, and at `auth`; can be absent only on loopback and unix sockets. */
  readonly passwordFile?: string;
  /**
   * Console clients are disconnected when OpenVPN is away, as OpenVPN itself does; absent: they stay and get a
   * message.
   */
  readonly hangsUp?: true;
}

/** `[kernel]`: how priorities are observed and set. */
export interface KernelConfig {
  /** `auto` chooses a backend that works on this host. */
  readonly backend: 'auto' | BackendName;
  /**
   * The source of the layout: `btf` for the running kernel's own `/sys/kernel/btf/vmlinux`, or the path of a file.
   */
  readonly layout: string;
}

/** `[console]`: subflowd's own console, and what the consoles of all servers have in common. */
export interface ConsoleConfig {
  /** Path of the unix socket. */
  readonly socket: string;
  /** Permission bits of the socket, e.g. 0o660. */
  readonly mode: number;
  /** Group that owns the socket, by name; absent: the daemon's own. */
  readonly group?: string;
  /** File that keeps admins' overrides (`primary CLIENT PATH`) when the daemon restarts. */
  readonly overrides: string;
  /** File that keeps what clients with a quota have carried when the daemon restarts. */
  readonly quotas: string;
}

/** `[path NAME]`: a network that clients connect from. */
export interface PathConfig {
  readonly name: string;
  /**
   * The networks of clients' addresses on this path, as canonical CIDR text, e.g. `192.168.100.0/24`,
   * `2001:db8::/32`. Empty if the address IDs alone decide.
   */
  readonly prefixes: readonly string[];
  /** The clients' MPTCP address IDs on this path, 0 to 255, ascending; absent: all IDs. */
  readonly addressIds?: readonly number[];
  /** The rate that it can carry, bit/s; absent: subflowd learns it. */
  readonly capacity?: Rate;
  /** It counts as bad for a client that loses more than this fraction of its segments there, 0 to 0.5. */
  readonly maxLoss: number;
  /** It counts as bad for a client whose round-trip time there is longer, milliseconds; absent: any is good. */
  readonly maxDelay?: number;
}

/** `[steering]`: when and how much steering changes. */
export interface SteeringConfig {
  /** Plan and log, and set nothing. */
  readonly dryRun: boolean;
  /** Milliseconds between two rounds of `balance`. */
  readonly interval: number;
  /**
   * The shortest time, milliseconds, that a session stays on a path which a mode other than `active-standby` chose. It
   * leaves earlier only if it cannot stay.
   */
  readonly dwell: number;
  /** The most sessions that `balance` moves in one round. */
  readonly moves: number;
  /**
   * The most subflows of a connection, including its first one, if the kernel sets no limit; 2 to 256.
   */
  readonly maxSubflows: number;
  /** The fraction by which a session's new path must stay less full than its old path was; 0 to 0.5. */
  readonly gain: number;
}

/** What a `[client GLOB]` or `[default]` section asks for. */
export interface RuleConfig {
  readonly mode: Mode;
  /** Path names in the order of preference; empty under `active-standby`: the client is left as it is. */
  readonly primary: readonly string[];
  /** Names of the paths that may carry the client: as written, otherwise those of `primary`, otherwise all. */
  readonly allowed: readonly string[];
  /** The rate that `balance` reserves for the client even if it uses less, bit/s. */
  readonly minRate?: Rate;
  /** By path: how much each bit counts there, 0.01 to 100; 1 for the other paths. Each mode says what it does with it. */
  readonly cost?: Readonly<Record<string, number>>;
  /** By path: what a client may carry there in each period before the path becomes its last choice. */
  readonly quota?: Readonly<Record<string, Quota>>;
  /** The day on which months of quotas begin, 1 to 28; absent: 1. */
  readonly quotaDay?: number;
  /**
   * Milliseconds after which a client that lost a wanted path is disconnected at an idle moment, so that it comes back with
   * all its paths; absent: never.
   */
  readonly rejoinAfter?: number;
  /**
   * `when-full`: `balance` lets the client use two paths at once while one has no room for it; absent: one path only.
   */
  readonly both?: 'when-full';
  /** Whether the rule or the client decides if the client itself asks for backup on the primary path. */
  readonly peerBackup: 'respect' | 'override';
}

/** `[client GLOB]`: the rule of the clients whose common name matches. */
export interface ClientConfig extends RuleConfig {
  /** As written between `[client ` and `]`. */
  readonly glob: string;
}
