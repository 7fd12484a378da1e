import { EventEmitter } from 'node:events';
import type { ServerConfig } from '../config/config.js';
import { formatEndpoint } from '../model/endpoint.js';
import { containFault, isFault } from '../util/faults.js';
import { Pace } from '../util/pace.js';
import { Problems, type ProblemMap } from '../util/problems.js';
import { Absences } from './absences.js';
import { type AnySession, type Session, type UnplacedSession } from '../model/session.js';
import { ownerOf, type Claimant } from './attribution.js';
import { reasonOf } from '../util/errno.js';
import type { HookRecords } from './records/hook-records.js';
import type { KnownRecord } from './records/record-table.js';
import { MOST_PROCESSES, ofFewProcesses } from './records/process-limit.js';
import {
  Management,
  type ClientNotice,
  type ManagementInfo,
  type ManagementOptions,
} from './management/management.js';
import { isOf } from './pairing.js';
import { probeProcess, type ProcessProbe } from './process.js';
import { Roster } from './roster.js';
import { MOST_SESSIONS, parseStatus, type StatusReply } from './management/status.js';
import { isSameView, join, judge, NOTHING, type Known, type View } from './view.js';

/** How much is known of a server, and from whom. */
export interface ServerStatus {
  readonly name: string;
  /** `absent`: the config names none. */
  readonly management: 'absent' | 'unreachable' | 'connected';
  /** Why it is unreachable. */
  readonly managementTrouble?: string;
  /** How many of the sessions a hook has recorded. */
  readonly recorded: number;
  /** How many of those that OpenVPN let in no hook has recorded; absent: none. */
  readonly unrecorded?: number;
  /** All of the server's processes; more than one only where there is no management. */
  readonly pids: readonly number[];
  /** As OpenVPN gives it, e.g. `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`. */
  readonly version?: string;
}

export interface ServerMap extends ProblemMap {
  /** `sessions()` or `unplaced()` is different now. */
  change: [];
  /** `status()` is different now. */
  status: [];
  /** Who sees the sockets is to look again: what follows depends on it, see {@link Server.missing}. */
  look: [];
}

export interface ServerOptions {
  readonly probe?: ProcessProbe;
  readonly management?: Omit<ManagementOptions, 'passwordFile' | 'user'>;
  /** Milliseconds between two looks at everything, needed or not. */
  readonly pollMs?: number;
}

/** News within this many milliseconds are asked about together. */
const GATHER_MS = 100;
/** Least milliseconds between two `status` that news ask for. */
const MIN_STATUS_MS = 1_000;
/** How seldom `status` is asked for where it is read for safety alone. */
const SPARING = { times: 4000, longest: 300_000 };
/** When to look whether the process lives after its management interface hung up, in milliseconds. */
const LOOK_AFTER_MS = [50, 500, 2_000];

/**
 * The sessions of one OpenVPN process, `[openvpn NAME]`, from what the hooks record and what management says. Either
 * is enough. Where both speak, the later word counts: a hook's until a `status` that was asked for after it.
 */
export class Server extends EventEmitter<ServerMap> implements Claimant {
  readonly name: string;
  readonly #events: HookRecords;
  readonly #claimants: ReadonlySet<Claimant>;
  readonly #probe: ProcessProbe;
  readonly #pollMs: number;
  /** Absent where the config names none. */
  readonly management: Management | undefined;
  #info: ManagementInfo | undefined;
  /** Whom management lists. */
  readonly #roster = new Roster();
  readonly #absences = new Absences();
  #view: View = NOTHING;
  #toldStatus = '';
  readonly #problems = new Problems({
    onProblem: (text, key) => this.emit('problem', text, key),
    onResolved: (key) => this.emit('resolved', key),
  });
  #lookAgain: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  /** The next look; how long the last one took, ms. */
  #soon: NodeJS.Timeout | undefined;
  #lookMs = 0;
  /** Of the reading of `status`. */
  readonly #pace = new Pace();
  #gather: NodeJS.Timeout | undefined;
  #looks: NodeJS.Timeout[] = [];
  #lastNews = 0;
  #running = false;

  /**
   * @param events of the directory that `config.events` names; started and stopped by the caller.
   * @param claimants every server that shares the directory, this one too.
   */
  constructor(
    readonly config: ServerConfig,
    events: HookRecords,
    claimants: ReadonlySet<Claimant>,
    options: ServerOptions = {},
  ) {
    super();
    this.name = config.name;
    this.#events = events;
    this.#claimants = claimants;
    this.#probe = options.probe ?? probeProcess;
    this.#pollMs = options.pollMs ?? 10_000;
    if (config.management === undefined) return;
    this.management = new Management(config.management, {
      ...options.management,
      ...(config.passwordFile !== undefined && { passwordFile: config.passwordFile }),
      ...(config.managementUser !== undefined && { user: config.managementUser }),
    });
    this.management
      .on('ready', (info) => {
        this.#onReady(info);
      })
      .on('status', (lines, askedAt) => {
        this.#onStatus(lines, askedAt);
      })
      .on('client', (notice) => {
        this.#onClient(notice);
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
    if (this.#running) return;
    this.#running = true;
    this.#events.on('added', this.#onAdded).on('removed', this.#onRemoved);
    this.management?.start();
    this.#pollAfter(this.#pollMs);
    this.#update();
  }

  #pollAfter(wait: number): void {
    this.#poll = setTimeout(() => {
      this.#contain('look at its process', () => {
        this.#checkProcess();
      });
      this.management?.requestStatus();
      this.update();
      // where hooks tell of everybody, the answer is read for safety alone, and a long one less often
      const isTold = this.#view.recorded === this.#view.sessions.length;
      this.#pollAfter(isTold ? this.#pace.pause({ ...SPARING, least: this.#pollMs }) : this.#pollMs);
    }, wait);
  }

  stop(): void {
    this.#running = false;
    this.#events.off('added', this.#onAdded).off('removed', this.#onRemoved);
    this.management?.stop();
    clearTimeout(this.#poll);
    clearTimeout(this.#lookAgain);
    clearTimeout(this.#soon);
    this.#soon = undefined;
    clearTimeout(this.#gather);
    this.#gather = undefined;
    for (const timer of this.#looks) clearTimeout(timer);
  }

  /** The process that management speaks for, while it lives. */
  get pid(): number | undefined {
    return this.#info?.pid;
  }

  sessions(): readonly Session[] {
    return this.#view.sessions;
  }

  /** Sessions over IPv6 that an OpenVPN before 2.7 told of without the port, and no hook either. */
  unplaced(): readonly UnplacedSession[] {
    return this.#view.unplaced;
  }

  /** The server's processes, as far as they are known. */
  pids(): readonly number[] {
    return [
      ...new Set([...(this.pid === undefined ? [] : [this.pid]), ...this.sessions().map(({ pid }) => pid)]),
    ];
  }

  status(): ServerStatus {
    const trouble = this.management?.trouble;
    return {
      name: this.name,
      management:
        this.management === undefined ? 'absent' : this.management.ready ? 'connected' : 'unreachable',
      ...(trouble !== undefined && { managementTrouble: trouble }),
      recorded: this.#view.recorded,
      ...(this.#view.unrecorded > 0 && { unrecorded: this.#view.unrecorded }),
      pids: this.pids(),
      ...(this.#info !== undefined && { version: this.#info.version }),
    };
  }

  /**
   * Brings `sessions()` up to date, a moment later: a thousand clients that come together are looked at together, at most
   * half of the time. For whoever knows that a claimant's process changed.
   */
  update(): void {
    if (!this.#running) return;
    this.#soon ??= setTimeout(() => {
      this.#update();
    }, this.#lookMs);
  }

  /** A fault is this server's trouble: it keeps the sessions that it had, and the others are served. */
  #contain(what: string, act: () => void): void {
    containFault(this.#problems, this.name, what, act);
  }

  #update(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#contain('tell who is connected', () => {
      this.#join();
    });
  }

  #join(): void {
    const start = performance.now();
    const before = this.#view;
    this.#roster.settle();
    this.#roster.findPorts(() => this.#ownRecords());
    this.#view = join(this.#known(), before.sessions);
    for (const known of this.#view.superseded) this.#events.discard(known);
    this.#lookMs = performance.now() - start;
    const status = JSON.stringify(this.status());
    const isNew = status !== this.#toldStatus;
    this.#toldStatus = status;
    if (isNew) this.emit('status');
    if (!isSameView(before, this.#view)) this.emit('change');
  }

  /**
   * Takes the sessions of this server of whom the kernel, looked at just now, shows no connection; each is left out that
   * could not be looked for. OpenVPN is asked at once whether they left. Of whom it cannot be asked, because management is
   * not there, what is known is dropped after some seconds if they came over TCP.
   */
  missing(sessions: readonly AnySession[]): void {
    if (!this.#running) return;
    this.#contain('drop who is gone', () => {
      this.#takeMissing(sessions);
    });
  }

  #takeMissing(sessions: readonly AnySession[]): void {
    const { ask, gone, lookIn } = this.#absences.update(
      sessions.filter(({ protocol }) => protocol !== 'udp'),
      performance.now(),
    );
    if (ask && this.management?.ready === true) this.#askSoon();
    if (this.management?.ready !== true) this.#drop(gone.filter(({ protocol }) => protocol === 'tcp'));
    clearTimeout(this.#lookAgain);
    if (lookIn === undefined) return;
    this.#lookAgain = setTimeout(() => this.emit('look'), lookIn);
  }

  #drop(gone: readonly AnySession[]): void {
    if (gone.length === 0) return;
    for (const session of gone) {
      const { pid, cid, since, protocol, commonName } = session;
      if (pid === this.pid && cid !== undefined) this.#roster.drop(cid);
      if (!('real' in session)) continue;
      const endpoint = formatEndpoint(session.real);
      const client = { endpoint, ...(since !== undefined && { since }), ...(protocol && { protocol }) };
      for (const known of this.#ownRecords()) {
        const { record, path } = known;
        if (record.pid !== pid || !isOf(record, client) || !this.#events.discard(known)) continue;
        this.emit(
          'problem',
          `${JSON.stringify(path)} records ${JSON.stringify(commonName)} at ${endpoint}, whose connection is gone: removed ` +
            '(client-disconnect did not run)',
        );
      }
    }
    this.update();
  }

  #onReady(info: ManagementInfo): void {
    if (this.#info !== undefined && this.#info.pid !== info.pid) this.#forgetProcess();
    this.#info = info;
    this.#checkProcess();
    this.management?.requestStatus();
    this.update();
  }

  #onStatus(lines: readonly string[], askedAt: number): void {
    const start = performance.now();
    const reply = parseStatus(lines);
    this.#roster.answered(reply, askedAt);
    this.#roster.findPorts(() => this.#ownRecords());
    this.#tellProblems(reply);
    if (reply.beyond !== undefined) this.#tellBeyond();
    else if (reply.problems.length === 0) this.#discardStale();
    // and then it is joined with what else is known
    this.#pace.took(performance.now() - start + this.#lookMs);
    this.update();
  }

  #onClient(notice: ClientNotice): void {
    if (!this.#roster.noticed(notice)) this.#tellBeyond();
    this.#askSoon();
    this.update();
  }

  /** What is known stays known while the process lives: only nobody tells us of changes now, except the hooks. */
  #onLost(): void {
    this.#looks = LOOK_AFTER_MS.map((ms) =>
      setTimeout(() => {
        this.#contain('look at its process', () => {
          this.#checkProcess();
        });
        this.update();
      }, ms),
    );
    this.update();
  }

  readonly #onAdded = (known: KnownRecord): void => {
    this.#contain('take a record', () => {
      if (!this.#owns(known)) this.#checkProcess();
      if (!this.#owns(known)) return;
      this.#roster.came(known.record);
      this.#askSoon();
      this.update();
    });
  };

  readonly #onRemoved = ({ record }: KnownRecord): void => {
    this.#contain('take the end of a record', () => {
      if (record.pid === this.pid) {
        this.#roster.left(record, this.management?.ready === true);
        this.#askSoon();
      }
      this.update();
    });
  };

  /** Management confirms, and adds the CID; where it is away, a hook's word is a sign that it is back. */
  #askSoon(): void {
    this.management?.retryNow();
    if (this.management === undefined || this.#gather !== undefined) return;
    const wait = Math.max(GATHER_MS, this.#lastNews + MIN_STATUS_MS - performance.now());
    this.#gather = setTimeout(() => {
      this.#gather = undefined;
      this.#lastNews = performance.now();
      this.management?.requestStatus();
    }, wait);
  }

  /** Forgets a process that is gone or is no OpenVPN; makes its user's directory for hooks otherwise. */
  #checkProcess(): void {
    if (this.#info === undefined) return;
    const { pid } = this.#info;
    try {
      const facts = this.#probe(pid);
      if (facts.is === 'openvpn') {
        this.#problems.resolve('process');
        this.#events.addUser(facts.euid);
        return;
      }
      if (this.management?.ready === true) {
        const what =
          facts.is === 'gone' ? 'does not exist (is it in another PID namespace?)' : `is ${facts.exe}`;
        this.#problems.open(
          'process',
          `the management interface at ${this.management.name} says it is process ${pid}, which ${what}`,
        );
      }
    } catch (error) {
      const reason = `cannot look at process ${pid}, which takes root or CAP_SYS_PTRACE, as in openvpn-conf/subflowd.service: ${reasonOf(error)}`;
      this.#problems.open('process', reason);
    }
    this.#forgetProcess();
  }

  #forgetProcess(): void {
    this.#info = undefined;
    this.#roster.clear();
  }

  #owns({ record }: KnownRecord): boolean {
    const owner = ownerOf(record.pid, this.#claimants);
    return 'claimant' in owner && owner.claimant === this;
  }

  #ownRecords(): KnownRecord[] {
    const own = this.#events.records().filter((known) => this.#owns(known));
    const { records, crowded } = ofFewProcesses(own);
    const [directory] = crowded;
    if (directory === undefined) this.#problems.resolve('processes');
    else {
      this.#problems.open(
        'processes',
        `${directory} records sessions of more than ${MOST_PROCESSES} processes: those of the others are neither shown nor ` +
          `steered; end those that are not OpenVPN, or give [openvpn ${this.name}] its management interface`,
      );
    }
    return records;
  }

  #known(): Known {
    return {
      server: this.name,
      pid: this.pid,
      rows: this.#roster.rows,
      unnamed: this.#roster.unnamed,
      askedAt: this.#roster.askedAt,
      records: this.#ownRecords(),
    };
  }

  /** A record that management, asked after it was seen, knows nothing of: client-disconnect did not run. */
  #discardStale(): void {
    if (this.pid === undefined) return;
    const all = this.#known();
    const counts = judge(all);
    for (const known of all.records) {
      const { record, path } = known;
      if (record.pid !== this.pid || counts(known) || !this.#events.discard(known)) continue;
      this.emit(
        'problem',
        `${JSON.stringify(path)} records ${JSON.stringify(record.commonName)} at ${formatEndpoint(record.real)}, whom OpenVPN ` +
          `${this.name} does not have: removed (is client-disconnect in its config?)`,
      );
    }
  }

  #tellProblems(reply: StatusReply): void {
    const unreadable = new Set(reply.problems);
    for (const problem of unreadable) this.#problems.open(problem, `${this.name}: ${problem}`);
    if (reply.dco) {
      this.#problems.open(
        'dco',
        `OpenVPN ${this.name} uses data-channel offload, which does no MPTCP: add disable-dco to its config`,
      );
    }
    this.#problems.resolveThose((key) =>
      key === 'dco'
        ? !reply.dco
        : key === 'beyond'
          ? reply.beyond === undefined
          : key !== 'process' && !isFault(key) && !unreadable.has(key),
    );
  }

  #tellBeyond(): void {
    this.#problems.open(
      'beyond',
      `OpenVPN ${this.name} has more than ${MOST_SESSIONS} clients: those beyond are neither shown nor steered, ` +
        'unless its hooks tell of them; run several servers (max-clients in its config is the limit of one)',
    );
  }
}
