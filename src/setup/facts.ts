import type { ConfigLine } from '../openvpn/config-file.js';

/** A program that is connected to a management interface. */
export interface ManagementClient {
  readonly pid: number;
  readonly program: string;
  /** Its name, or its number. */
  readonly user: string;
}

/** One OpenVPN server of this host, running or not. */
export interface ServerFacts {
  /** The name of its config without `.conf`. */
  readonly name: string;
  /** Path of its config. */
  readonly config: string;
  /** The directory that relative names in the config refer to. */
  readonly directory: string;
  /** Of the config and of what it includes. */
  readonly lines: readonly ConfigLine[];
  /** The unit that runs it, such as `openvpn-server@office`; absent if it runs without one. */
  readonly unit?: string;
  /** The command of this unit, as its file writes it. */
  readonly command?: string;
  readonly isActive: boolean;
  readonly isEnabled: boolean;
  /** Who is connected to its management interface now. */
  readonly managementClients: readonly ManagementClient[];
  /** The addresses of the clients that are connected now, as far as its status file has them. */
  readonly clientAddresses: readonly string[];
  /** Files of its client-config-dir that give a client an address of its own (`ifconfig-push`). */
  readonly staticClients: readonly string[];
}

/** The state of the service subflowd. */
export interface DaemonFacts {
  readonly isActive: boolean;
  readonly isEnabled: boolean;
}

/** What setup has found on this host. */
export interface HostFacts {
  readonly servers: readonly ServerFacts[];
  readonly daemon: DaemonFacts;
  /** The directory of the hooks. */
  readonly hooks: string;
  /** The text of subflowd.ini; absent if there is none. */
  readonly ini?: string;
  /** The text of the sysctl file: the one of this host, otherwise the one that comes with subflowd. */
  readonly sysctlText: string;
  /** Files to copy, with their text. */
  readonly copies: readonly { readonly path: string; readonly text: string; readonly mode: number }[];
  /** Ports on which something listens over TCP. */
  readonly tcpPorts: ReadonlySet<number>;
  /** Networks of this host's routes, as CIDR text. */
  readonly networks: readonly string[];
  /** Rules of the firewall, one a line. */
  readonly firewall: readonly string[];
  /** The present values of net.mptcp.*, by their names without net.mptcp; empty if the kernel has none. */
  readonly mptcp: Readonly<Record<string, string>>;
  /** Whether every TCP socket is MPTCP already (kernels of multipath-tcp.org). */
  readonly isAlwaysMptcp: boolean;
  readonly hasMptcpize: boolean;
}

/** What the admin asked for. */
export interface SetupOptions {
  /** Only this server. */
  readonly server?: string;
  /** `observe`: subflowd shall plan and set nothing; `steer`: it shall set again; absent: as it is. */
  readonly dryRun?: 'observe' | 'steer';
}

/** A file as setup wants it. */
export interface WantedFile {
  readonly path: string;
  /** Each character is one byte. */
  readonly text: string;
  readonly mode: number;
  /** Why, as a sentence. */
  readonly why: string;
  /** What it costs, as a sentence. */
  readonly cost?: string;
  /** What a new file is compared with, to show it; absent: with nothing. */
  readonly basis?: { readonly path: string; readonly text: string };
  /** A link that systemd-tmpfiles makes because of the file. */
  readonly link?: string;
  /** A file that exists stays as it is. */
  readonly isOnlyNew?: true;
  /** The unit that must be restarted, or started, for the file to take effect. */
  readonly unit?: string;
}

/** Something that setup does not do, and how to do it. */
export interface Obstacle {
  readonly what: string;
  readonly remedy: string;
}

/** A unit that does not run yet. */
export interface NewUnit {
  readonly unit: string;
  /** Whether it shall start at each boot. */
  readonly isEnabled: boolean;
  /** Files that it will write, such as a log. */
  readonly ownFiles: readonly string[];
}

/** What setup would do. */
export interface Decision {
  readonly files: readonly WantedFile[];
  /** Values to set, by their names below net.mptcp. */
  readonly sysctl: readonly (readonly [name: string, value: string])[];
  readonly newUnits: readonly NewUnit[];
  /** Users that must be able to use the consoles, because their programs use a management interface now. */
  readonly consoleUsers: readonly string[];
  readonly obstacles: readonly Obstacle[];
  /** What is wrong already, and setup does not change. */
  readonly warnings: readonly string[];
  /** What the admin should know. */
  readonly notes: readonly string[];
  /** What the admin does afterwards. */
  readonly nextSteps: readonly string[];
}
