import { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ServerConfig } from '../config/config.js';
import { containFault } from '../util/faults.js';
import { Problems } from '../util/problems.js';
import type { AnySession, Session, UnplacedSession } from '../model/session.js';
import { ownerOf } from './attribution.js';
import { HookRecords, type HookRecordsOptions } from './records/hook-records.js';
import { Server, type ServerMap, type ServerOptions } from './server.js';

export interface ServersOptions {
  readonly events?: HookRecordsOptions;
  readonly server?: ServerOptions;
  /** Milliseconds between two looks for records that belong to no server. */
  readonly strayMs?: number;
}

interface Directory {
  readonly events: HookRecords;
  readonly servers: Set<Server>;
}

/** Every `[openvpn NAME]` of a config, each events directory watched once however many servers share it. */
export class Servers extends EventEmitter<ServerMap> {
  readonly #directories = new Map<string, Directory>();
  readonly #options: ServersOptions;
  #servers: readonly Server[];
  readonly #strayMs: number;
  /** Of processes that are no server's, and of what the parts tell. */
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
    this.#strayMs = options.strayMs ?? 10_000;
    this.#servers = configs.map((config) => this.#make(config));
  }

  /** Serves another config from now on; a server whose section is as before is not touched. */
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
    const server = new Server(config, directory.events, directory.servers, this.#options.server);
    directory.servers.add(server);
    return server
      .on('change', () => this.emit('change'))
      .on('look', () => this.emit('look'))
      .on('problem', (text, key) => {
        this.#told(`server ${config.name}`, text, key);
      })
      .on('resolved', (key) => {
        this.#problems.resolve(`server ${config.name} ${key}`);
      })
      .on('status', () => {
        // its process may have become known, or gone: the records of others are judged by that
        for (const other of directory.servers) if (other !== server) other.update();
        this.emit('status');
      });
  }

  #remove(server: Server): void {
    server.stop();
    this.#problems.resolveThose((key) => key.startsWith(`server ${server.name} `));
    for (const [path, { events, servers }] of this.#directories) {
      if (!servers.delete(server) || servers.size > 0) continue;
      events.stop();
      this.#directories.delete(path);
      this.#problems.resolveThose((key) => key.startsWith(`events ${path} `));
    }
  }

  /** Begins to listen; sessions are announced as they become known. Never throws: see `problem`. */
  start(): void {
    for (const server of this.#servers) server.start();
    for (const { events } of this.#directories.values()) events.start();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      containFault(this.#problems, 'hooks', 'tell whose records are nobody’s', () => {
        this.#tellStrays();
      });
    }, this.#strayMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const server of this.#servers) server.stop();
    for (const { events } of this.#directories.values()) events.stop();
  }

  servers(): readonly Server[] {
    return this.#servers;
  }

  sessions(): readonly Session[] {
    return this.#servers.flatMap((server) => server.sessions());
  }

  /** See {@link Server.unplaced}. */
  unplaced(): readonly UnplacedSession[] {
    return this.#servers.flatMap((server) => server.unplaced());
  }

  /** See {@link Server.missing}. */
  missing(sessions: readonly AnySession[]): void {
    for (const server of this.#servers) server.missing(sessions.filter((one) => one.server === server.name));
  }

  #told(who: string, text: string, key: string | undefined): void {
    if (key === undefined) this.emit('problem', text);
    else this.#problems.open(`${who} ${key}`, text);
  }

  #directory(path: string, options: HookRecordsOptions | undefined): Directory {
    const key = resolve(path);
    const known = this.#directories.get(key);
    if (known) return known;
    const events = new HookRecords(key, options);
    events
      .on('problem', (text, of) => {
        this.#told(`events ${key}`, text, of);
      })
      .on('resolved', (of) => {
        this.#problems.resolve(`events ${key} ${of}`);
      });
    const directory = { events, servers: new Set<Server>() };
    this.#directories.set(key, directory);
    return directory;
  }

  /** Records of an OpenVPN that no section of the config speaks of, or several. Each process is told of once. */
  #tellStrays(): void {
    const found = new Set<string>();
    for (const { events, servers } of this.#directories.values()) {
      for (const { path, record } of events.records()) {
        const owner = ownerOf(record.pid, servers);
        if ('claimant' in owner) continue;
        const key = `stray ${record.pid} ${events.directory}`;
        if (found.has(key)) continue;
        found.add(key);
        if (this.#problems.isOpen(key)) continue;
        const who = `OpenVPN process ${record.pid} (config ${record.config ?? 'unknown'})`;
        this.#problems.open(
          key,
          'among' in owner
            ? `${who} records sessions in ${events.directory}, and it cannot be told which of ` +
                `${owner.among.map(({ name }) => `[openvpn ${name}]`).join(', ')} it is: give each of them its ` +
                'management interface, or its own directory (setenv SUBFLOWD_EVENTS in its config, events = here)'
            : `${who} is no server of subflowd.ini, whose processes are ` +
                `${[...servers].map(({ name, pid }) => `${name}: ${pid ?? 'unknown'}`).join(', ')}, but recorded ` +
                `${JSON.stringify(path)}: add an [openvpn] section for it, or remove the hooks from its config`,
        );
      }
    }
    this.#problems.resolveThose((key) => key.startsWith('stray ') && !found.has(key));
  }
}
