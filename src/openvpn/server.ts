import { EventEmitter } from 'node:events';
import type { ServerConfig } from '../config/config.js';
import type { AnySession, Session, SessionWithoutPort } from '../model/session.js';
import { containFault } from '../util/faults.js';
import { Problems } from '../util/problems.js';
import type { ServerIdentity } from './attribution.js';
import type { ClientMessage } from './management/client-messages.js';
import { Management } from './management/management.js';
import type { ManagementInfo } from './management/management-types.js';
import { parseStatus } from './management/status.js';
import { hasSameSessions, makeRecordCheck, mergeSessions, NO_SESSIONS, type ServerSources } from './merge.js';
import { MissingConnections } from './missing-connections.js';
import { OwnRecords } from './own-records.js';
import { findProcess } from './records/find-process.js';
import type { HookRecords } from './records/hook-records.js';
import type { ValidRecord } from './records/record-table.js';
import { Roster } from './roster.js';
import { ServerProcess } from './server-process.js';
import { makeServerStatus, type ServerStatus } from './server-status.js';
import type { ServerMap, ServerOptions } from './server-types.js';
import { reportStatusProblems, reportTooManyClients } from './status-problems.js';
import { StatusRequests } from './status-requests.js';

/**
 * The sessions of one OpenVPN process, `[openvpn NAME]` in subflowd.ini. It merges what the hooks record with what
 * management reports; one of the two sources is enough. If they disagree, the later report counts: a hook's report until
 * the answer to a `status` that was requested after it.
 */
export class Server extends EventEmitter<ServerMap> implements ServerIdentity {
  readonly name: string;
  /** Undefined if the config has none. */
  readonly management: Management | undefined;
  readonly #hookRecords: HookRecords;
  readonly #records: OwnRecords;
  readonly #process: ServerProcess;
  readonly #statusRequests: StatusRequests;
  /** The clients that management lists. */
  readonly #roster = new Roster();
  readonly #missing = new MissingConnections();
  #merged = NO_SESSIONS;
  #lastStatus = '';
  readonly #problems = new Problems({
    onProblem: (text, key) => this.emit('problem', text, key),
    onResolved: (key) => this.emit('resolved', key),
  });
  #mergeTimer: NodeJS.Timeout | undefined;
  /** How long the last merge took, in milliseconds. */
  #lastMergeMs = 0;
  #observeTimer: NodeJS.Timeout | undefined;
  #isRunning = false;

  /**
   * @param hookRecords of the directory that `config.events` names. The caller starts and stops them.
   * @param servers all servers with the same directory, with this one.
   */
  constructor(
    readonly config: ServerConfig,
    hookRecords: HookRecords,
    servers: ReadonlySet<ServerIdentity>,
    options: ServerOptions = {},
  ) {
    super();
    this.name = config.name;
    this.management = this.#makeManagement(options.management);
    this.#hookRecords = hookRecords;
    this.#records = new OwnRecords(this, hookRecords, servers, this.#problems, (text) =>
      this.emit('problem', text),
    );
    this.#process = new ServerProcess(this.management, options.probe ?? findProcess, this.#problems, {
      records: this.#records,
      onForgotten: () => {
        this.#roster.clear();
      },
    });
    this.#statusRequests = new StatusRequests(this.management, {
      pollMs: options.pollMs ?? 10_000,
      onPoll: () => {
        this.#checkProcess();
      },
      isConfirmation: () => this.#merged.recorded === this.#merged.sessions.length,
    });
  }

  #makeManagement(options: ServerOptions['management']): Management | undefined {
    const { management: target, passwordFile, managementUser: user } = this.config;
    if (target === undefined) return undefined;
    return new Management(target, {
      ...options,
      ...(passwordFile !== undefined && { passwordFile }),
      ...(user !== undefined && { user }),
    })
      .on('ready', (info) => {
        this.#onReady(info);
      })
      .on('status', (lines, askedAt) => {
        this.#onStatus(lines, askedAt);
      })
      .on('client', (message) => {
        this.#onClient(message);
      })
      .on('lost', () => {
        this.#onLost();
      })
      .on('problem', (text, key) => {
        this.emit('problem', text, key && `management ${key}`);
        this.update();
      })
      .on('resolved', (key) => {
        this.emit('resolved', `management ${key}`);
      });
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#hookRecords.on('added', this.#onRecordAdded).on('removed', this.#onRecordRemoved);
    this.management?.start();
    this.#statusRequests.start();
    this.#update();
  }

  stop(): void {
    this.#isRunning = false;
    this.#hookRecords.off('added', this.#onRecordAdded).off('removed', this.#onRecordRemoved);
    this.management?.stop();
    this.#statusRequests.stop();
    this.#process.stop();
    clearTimeout(this.#observeTimer);
    clearTimeout(this.#mergeTimer);
    this.#mergeTimer = undefined;
  }

  /** The process that management reports, while it lives. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  sessions(): readonly Session[] {
    return this.#merged.sessions;
  }

  /** Sessions over IPv6 whose port neither OpenVPN (before 2.7) nor a hook has reported. */
  sessionsWithoutPort(): readonly SessionWithoutPort[] {
    return this.#merged.sessionsWithoutPort;
  }

  /** The known processes of the server. */
  pids(): readonly number[] {
    const pids = this.sessions().map(({ pid }) => pid);
    return [...new Set(this.pid === undefined ? pids : [this.pid, ...pids])];
  }

  status(): ServerStatus {
    return makeServerStatus(this, this.#process.version, this.#merged);
  }

  /**
   * Merges soon, for example after the process of another server with this directory changed. The wait is as long as the last
   * merge took. So a burst of joins causes one merge, and merges take at most half of the time.
   */
  update(): void {
    if (!this.#isRunning) return;
    this.#mergeTimer ??= setTimeout(() => {
      this.#update();
    }, this.#lastMergeMs);
  }

  /** If `act` throws, that is a problem of this server. It keeps its sessions, and the other servers go on. */
  #contain(what: string, act: () => void): void {
    containFault(this.#problems, this.name, what, act);
  }

  #update(): void {
    clearTimeout(this.#mergeTimer);
    this.#mergeTimer = undefined;
    this.#contain('find out who is connected', () => {
      this.#merge();
    });
  }

  #merge(): void {
    const start = performance.now();
    const before = this.#merged;
    this.#roster.removeDisconnected();
    this.#roster.findPorts(() => this.#records.list());
    this.#merged = mergeSessions(this.#sources(), before.sessions);
    for (const record of this.#merged.superseded) this.#records.discard(record);
    this.#lastMergeMs = performance.now() - start;
    const status = JSON.stringify(this.status());
    const hasNewStatus = status !== this.#lastStatus;
    this.#lastStatus = status;
    if (hasNewStatus) this.emit('status');
    if (!hasSameSessions(before, this.#merged)) this.emit('change');
  }

  #sources(): ServerSources {
    return {
      server: this.name,
      pid: this.pid,
      rows: this.#roster.rows,
      unnamed: this.#roster.unnamed,
      askedAt: this.#roster.askedAt,
      records: this.#records.list(),
    };
  }

  /**
   * Takes the sessions of this server for which the kernel shows no connection now. Asks OpenVPN immediately whether they
   * disconnected. If management is not connected, sessions over TCP are removed after some seconds.
   * @param sessions without those that could not be observed.
   */
  handleMissing(sessions: readonly AnySession[]): void {
    if (!this.#isRunning) return;
    this.#contain('remove disconnected clients', () => {
      const { mustAskOpenvpn, gone, observeInMs } = this.#missing.update(
        sessions.filter(({ protocol }) => protocol !== 'udp'),
        performance.now(),
      );
      const isReady = this.management?.isReady === true;
      if (isReady && mustAskOpenvpn) this.#statusRequests.requestSoon();
      if (!isReady) this.#remove(gone.filter(({ protocol }) => protocol === 'tcp'));
      clearTimeout(this.#observeTimer);
      if (observeInMs === undefined) return;
      this.#observeTimer = setTimeout(() => this.emit('observe'), observeInMs);
    });
  }

  #remove(gone: readonly AnySession[]): void {
    if (gone.length === 0) return;
    for (const session of gone) {
      if (session.pid === this.pid && session.cid !== undefined) this.#roster.remove(session.cid);
      if ('real' in session) this.#records.discardDisconnected(session);
    }
    this.update();
  }

  #onReady(info: ManagementInfo): void {
    this.#process.update(info);
    this.management?.requestStatus();
    this.update();
  }

  #onStatus(lines: readonly string[], askedAt: number): void {
    const start = performance.now();
    const reply = parseStatus(lines);
    this.#roster.applyStatus(reply, askedAt);
    this.#roster.findPorts(() => this.#records.list());
    reportStatusProblems(this.#problems, this.name, reply);
    if (reply.omitted === undefined && reply.problems.length === 0 && this.pid !== undefined) {
      // client-disconnect did not run for clients that management does not list
      const sources = this.#sources();
      this.#records.discardUnlisted(this.pid, sources.records, makeRecordCheck(sources));
    }
    this.#statusRequests.addDuration(performance.now() - start + this.#lastMergeMs); // a merge follows
    this.update();
  }

  #onClient(message: ClientMessage): void {
    if (!this.#roster.applyMessage(message)) reportTooManyClients(this.#problems, this.name);
    this.#statusRequests.requestSoon();
    this.update();
  }

  /** Keeps the sessions while the process lives. Until management is back, only hooks report changes. */
  #onLost(): void {
    this.#process.scheduleChecks(() => {
      this.#checkProcess();
    });
    this.update();
  }

  #checkProcess(): void {
    this.#contain('check its process', () => {
      this.#process.check();
    });
    this.update();
  }

  readonly #onRecordAdded = (record: ValidRecord): void => {
    this.#contain('read a record', () => {
      if (!this.#records.isOwn(record)) this.#process.check();
      if (!this.#records.isOwn(record)) return;
      this.#roster.recordAdded(record.record);
      this.#statusRequests.requestSoon();
      this.update();
    });
  };

  readonly #onRecordRemoved = ({ record }: ValidRecord): void => {
    this.#contain('handle a removed record', () => {
      if (record.pid === this.pid) {
        this.#roster.recordRemoved(record, this.management?.isReady === true);
        this.#statusRequests.requestSoon();
      }
      this.update();
    });
  };
}
