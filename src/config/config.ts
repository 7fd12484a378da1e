import type { BackendName } from '../model/backend-name.js';
import type { Mode } from '../model/mode.js';
import type { Rate } from '../model/rate.js';

/** `subflowd.ini`, read, checked and normalised: defaults filled in, nothing left to interpret. */
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
  /** Where its management interface listens; absent when only the hooks tell. */
  readonly management?: { readonly socket: string } | { readonly host: string; readonly port: number };
  /** File whose first line is the management password. */
  readonly passwordFile?: string;
  /** Who may listen there besides root: a user's name or number. */
  readonly managementUser?: string;
  /** Directory that the hooks record into. */
  readonly events: string;
  /** Where its management interface is shared; present where there is a `management`. */
  readonly console?: ServerConsoleConfig;
}

/** The console of one server. */
export interface ServerConsoleConfig {
  /** Path of the unix socket; mode and group are those of `[console]`. */
  readonly socket: string;
  /** Also on TCP. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** File whose first line is the password on TCP; only on loopback there can be none. */
  readonly passwordFile?: string;
  /** Its clients are hung up on while OpenVPN is away, as OpenVPN itself would; absent: they stay and are told. */
  readonly hangsUp?: true;
}

/** `[kernel]` */
export interface KernelConfig {
  /** `auto` chooses the one that works on this host. */
  readonly backend: 'auto' | BackendName;
  /** Where the layout comes from: `btf` is the running kernel's own `/sys/kernel/btf/vmlinux`, else a file's path. */
  readonly layout: string;
}

/** `[console]` */
export interface ConsoleConfig {
  /** Path of the unix socket. */
  readonly socket: string;
  /** Permission bits of the socket, e.g. 0o660. */
  readonly mode: number;
  /** Group that owns the socket, by name; absent: the daemon's own. */
  readonly group?: string;
  /** File that keeps admins' overrides (`primary CLIENT PATH`) over a restart. */
  readonly overrides: string;
}

/** `[path NAME]` */
export interface PathConfig {
  readonly name: string;
  /** CIDR text, canonical, e.g. `192.168.100.0/24`, `2001:db8::/32`: of the client's address on that path. */
  readonly prefixes: readonly string[];
  /** What it can carry, bit/s; absent: it is learnt. */
  readonly capacity?: Rate;
}

/** `[steering]` */
export interface SteeringConfig {
  /** Plan and log, and set nothing. */
  readonly dryRun: boolean;
  /** Milliseconds between two rounds of `balance`. */
  readonly interval: number;
  /** Milliseconds that a session stays on a path that a mode other than `active-standby` chose, as long as it can. */
  readonly dwell: number;
  /** How many sessions `balance` moves in one round, at most. */
  readonly moves: number;
  /** How many subflows a connection may have where the kernel sets no limit, the one that it began with included; 2 to 64. */
  readonly maxSubflows: number;
  /** By which part a path must stay less full than the one that a session leaves was; 0 to 0.5. */
  readonly gain: number;
}

/** What a `[client GLOB]` or `[default]` section asks for. */
export interface RuleConfig {
  readonly mode: Mode;
  /** Path names, first choice first; empty under `active-standby`: leave the client as it is. */
  readonly primary: readonly string[];
  /** Names of the paths that may carry the client; as written, else those of `primary`, else all. */
  readonly allowed: readonly string[];
  /** What `balance` keeps free for the client even when it uses less, bit/s. */
  readonly minRate?: Rate;
  /** By path: what a bit counts for there under `balance`, 0.01 to 100; 1 where nothing is said. */
  readonly cost?: Readonly<Record<string, number>>;
  /** Who wins where the client itself wishes backup on the primary path: it, or the rule. */
  readonly peerBackup: 'respect' | 'override';
}

export interface ClientConfig extends RuleConfig {
  /** As written between `[client ` and `]`. */
  readonly glob: string;
}
