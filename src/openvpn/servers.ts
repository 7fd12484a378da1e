/*
 * How subflowd finds out which clients are connected to which OpenVPN process. There are two sources:
 *
 * - records/: hooks/client-connect writes a small file, a record, for each client, and hooks/client-disconnect removes it. So
 *   the records are the current sessions, also those from a time when subflowd did not run. Records are quick. They do not
 *   cover clients that connected before the hooks were configured. [records/hook-records.ts]
 * - management/: one connection to the management interface of each OpenVPN. `status` lists all clients, and real-time
 *   messages report joins and leaves. The consoles send their commands through the same connection.
 *   [management/management.ts]
 *
 * One source is enough. If there are both, they are merged:
 *
 * 1. roster.ts keeps the rows of the last `status`, changed by the real-time messages and records since then.
 * 2. pairing.ts finds the record of each row: the same process, address and port, and nothing else differs.
 * 3. merge.ts makes a session of each row and of each record without a row. If the sources disagree, the later one counts.
 *
 * status-requests.ts decides when to ask for `status`: soon after news, otherwise regularly. If the kernel shows no connection
 * of a session, missing-connections.ts asks again, and without management it removes the session after some seconds.
 */
import { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ServerConfig } from '../config/config.js';
import type { AnySession, Session, SessionWithoutPort } from '../model/session.js';
import { containFault } from '../util/faults.js';
import { Problems } from '../util/problems.js';
import { attributeProcess } from './attribution.js';
import type { Management } from './management/management.js';
import { HookRecords, type HookRecordsOptions } from './records/hook-records.js';
import { Server } from './server.js';
import type { ServerMap, ServerOptions } from './server-types.js';

/** Options of {@link Servers}. */
export interface ServersOptions {
  /** Of each events directory. */
  readonly events?: HookRecordsOptions;
  /** Of each server. */
  readonly server?: ServerOptions;
  /** Milliseconds between two searches for records that belong to no server; default 10 s. */
  readonly unassignedMs?: number;
}

/** One events directory, and the servers whose hooks write there. */
interface Directory {
  readonly hookRecords: HookRecords;
  readonly servers: Set<Server>;
}

/** Every `[openvpn NAME]` of a config. Servers with the same events directory share one {@link HookRecords}. */
export class Servers extends EventEmitter<ServerMap> {
  readonly #directories = new Map<string, Directory>();
  readonly #options: ServersOptions;
  #servers: readonly Server[];
  readonly #unassignedMs: number;
  /** Problems of the servers and the directories, and processes that are not a server of the config. */
  readonly #problems = new Problems(
    {
      onProblem: (text, key) => this.emit('problem', text, key),
      onResolved: (key) => this.emit('resolved', key),
    },
    Infinity,
  );
  #timer: NodeJS.Timeout | undefined;

  constructor(configs: readonly ServerConfig[], options: ServersOptions = {}) {
    super();
    this.#options = options;
    this.#unassignedMs = options.unassignedMs ?? 10_000;
    this.#servers = configs.map((config) => this.#make(config));
  }

  /** Applies a changed config. A server whose section is the same continues unchanged. */
  reconfigure(configs: readonly ServerConfig[]): void {
    const left = new Set(this.#servers);
    const next = configs.map((config) => {
      const same = [...left].find((server) => isDeepStrictEqual(server.config, config));
      if (same) left.delete(same);
      return { config, same };
    });
    for (const server of left) this.#remove(server);
    this.#servers = next.map(({ config, same }) => same ?? this.#make(config));
    this.start();
    this.emit('change');
  }

  #make(config: ServerConfig): Server {
    const directory = this.#directory(config.events, this.#options.events);
    const server = new Server(config, directory.hookRecords, directory.servers, this.#options.server);
    directory.servers.add(server);
    return server
      .on('change', () => this.emit('change'))
      .on('observe', () => this.emit('observe'))
      .on('problem', (text, key) => {
        this.#report(`server ${config.name}`, text, key);
      })
      .on('resolved', (key) => {
        this.#problems.resolve(`server ${config.name} ${key}`);
      })
      .on('status', () => {
        // if its process has changed, records can now belong to another server
        for (const other of directory.servers) if (other !== server) other.update();
        this.emit('status');
      });
  }

  #remove(server: Server): void {
    server.stop();
    this.#problems.resolveMatching((key) => key.startsWith(`server ${server.name} `));
    for (const [path, { hookRecords, servers }] of this.#directories) {
      if (!servers.delete(server) || servers.size > 0) continue;
      hookRecords.stop();
      this.#directories.delete(path);
      this.#problems.resolveMatching((key) => key.startsWith(`events ${path} `));
    }
  }

  /** Starts every server that is not started yet. `change` reports the sessions. Never throws: see `problem`. */
  start(): void {
    for (const server of this.#servers) server.start();
    for (const { hookRecords } of this.#directories.values()) hookRecords.start();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      containFault(this.#problems, 'hooks', 'find records of other processes', () => {
        this.#reportUnassigned();
      });
    }, this.#unassignedMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const server of this.#servers) server.stop();
    for (const { hookRecords } of this.#directories.values()) hookRecords.stop();
  }

  /** Resolves when the management connections are closed after {@link stop}: see `Management.closed`. */
  async closed(): Promise<void> {
    for (const { management } of this.#servers) await management?.closed;
  }

  servers(): readonly Server[] {
    return this.#servers;
  }

  /** The management interface of a session's server. */
  managementOf({ server }: Session): Management | undefined {
    return this.#servers.find(({ name }) => name === server)?.management;
  }

  /** The known processes of all servers. */
  pids(): number[] {
    return this.#servers.flatMap((server) => server.status().pids);
  }

  sessions(): readonly Session[] {
    return this.#servers.flatMap((server) => server.sessions());
  }

  /** See {@link Server.sessionsWithoutPort}. */
  sessionsWithoutPort(): readonly SessionWithoutPort[] {
    return this.#servers.flatMap((server) => server.sessionsWithoutPort());
  }

  /** See {@link Server.handleMissing}. */
  handleMissing(sessions: readonly AnySession[]): void {
    for (const server of this.#servers)
      server.handleMissing(sessions.filter((one) => one.server === server.name));
  }

  #report(source: string, text: string, key: string | undefined): void {
    if (key === undefined) this.emit('problem', text);
    else this.#problems.open(`${source} ${key}`, text);
  }

  #directory(path: string, options: HookRecordsOptions | undefined): Directory {
    const key = resolve(path);
    const existing = this.#directories.get(key);
    if (existing) return existing;
    const hookRecords = new HookRecords(key, options);
    hookRecords
      .on('problem', (text, of) => {
        this.#report(`events ${key}`, text, of);
      })
      .on('resolved', (of) => {
        this.#problems.resolve(`events ${key} ${of}`);
      });
    const directory = { hookRecords, servers: new Set<Server>() };
    this.#directories.set(key, directory);
    return directory;
  }

  /** Reports each process with records that is not a server of the config, or can be one of several. */
  #reportUnassigned(): void {
    const found = new Set<string>();
    for (const { hookRecords, servers } of this.#directories.values()) {
      for (const { path, record } of hookRecords.records()) {
        const owner = attributeProcess(record.pid, servers);
        if ('server' in owner) continue;
        const key = `unassigned ${record.pid} ${hookRecords.directory}`;
        if (found.has(key)) continue;
        found.add(key);
        if (this.#problems.isOpen(key)) continue;
        const who = `OpenVPN process ${record.pid} (config ${record.config ?? 'unknown'})`;
        this.#problems.open(
          key,
          'candidates' in owner
            ? `${who} records sessions in ${hookRecords.directory}, but subflowd cannot find out which of ` +
                `${owner.candidates.map(({ name }) => `[openvpn ${name}]`).join(', ')} it is; to fix it: set ` +
                '`management =` in each of these sections, or give each server its own directory ' +
                '(setenv SUBFLOWD_EVENTS in its config, `events =` in its section)'
            : `${who} recorded ${JSON.stringify(path)}, but is not a server of subflowd.ini, whose processes are ` +
                `${[...servers].map(({ name, pid }) => `${name}: ${pid ?? 'unknown'}`).join(', ')}; to fix it: add an ` +
                '[openvpn] section for it, or remove the hooks from its config',
        );
      }
    }
    this.#problems.resolveMatching((key) => key.startsWith('unassigned ') && !found.has(key));
  }
}
