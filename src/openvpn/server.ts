import { EventEmitter } from 'node:events';
import type { ServerConfig } from '../config/config.js';
import { formatEndpoint } from '../endpoint.js';
import { Pace } from '../pace.js';
import { ownerOf, type Claimant } from './attribution.js';
import { reasonOf } from './errno.js';
import type { Events, KnownRecord } from './events.js';
import { Management, type ClientNotice, type ManagementInfo, type ManagementOptions } from './management.js';
import { probeProcess, type ProcessProbe } from './process.js';
import { readFields } from './record.js';
import type { Session } from './session.js';
import { MOST_SESSIONS, parseStatus, type ClientRow, type StatusReply } from './status.js';
import {
  isSameView,
  join,
  judge,
  placed,
  type Known,
  type Row,
  type UnplacedSession,
  type View,
} from './view.js';

/** How much is known of a server, and from whom. */
export interface ServerStatus {
  readonly name: string;
  /** `absent`: the config names none. */
  readonly management: 'absent' | 'unreachable' | 'connected';
  /** Why it is unreachable. */
  readonly managementTrouble?: string;
  /** How many of the sessions a hook has recorded. */
  readonly recorded: number;
  /** All of the server's processes; more than one only where there is no management. */
  readonly pids: readonly number[];
  /** As OpenVPN gives it, e.g. `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`. */
  readonly version?: string;
}

export interface ServerMap {
  /** `sessions()` or `unplaced()` is different now. */
  change: [];
  /** `status()` is different now. */
  status: [];
  /** Something that an admin should mend. */
  problem: [string];
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
  readonly #events: Events;
  readonly #claimants: ReadonlySet<Claimant>;
  readonly #probe: ProcessProbe;
  readonly #pollMs: number;
  /** Absent where the config names none. */
  readonly management: Management | undefined;
  #info: ManagementInfo | undefined;
  #rows: Row[] = [];
  /** Handshakes that management tells of: a hook may know more. */
  #unnamed: readonly ClientRow[] = [];
  /** `performance.now()` at which the newest answered `status` was asked for. */
  #askedAt: number | undefined;
  /** When hooks said that a client left, by endpoint; kept until a later `status`. */
  readonly #left = new Map<string, number>();
  /** Endpoints whose rows are of clients that left. */
  readonly #outdated = new Set<string>();
  #view: View = { sessions: [], unplaced: [], recorded: 0 };
  #toldStatus = '';
  readonly #problems = new Set<string>();
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
    events: Events,
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
      .on('problem', (text) => {
        this.emit('problem', text);
        this.update();
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
      this.#checkProcess();
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

  #update(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const start = performance.now();
    const before = this.#view;
    this.#dropOutdated();
    this.#placeRows();
    this.#view = join(this.#known(), before.sessions);
    this.#lookMs = performance.now() - start;
    const status = JSON.stringify(this.status());
    const isNew = status !== this.#toldStatus;
    this.#toldStatus = status;
    if (isNew) this.emit('status');
    if (!isSameView(before, this.#view)) this.emit('change');
  }

  #onReady(info: ManagementInfo): void {
    if (this.#info !== undefined && this.#info.pid !== info.pid) this.#forgetProcess();
    this.#info = info;
    this.#problems.clear();
    this.#checkProcess();
    this.management?.requestStatus();
    this.update();
  }

  #onStatus(lines: readonly string[], askedAt: number): void {
    const start = performance.now();
    const reply = parseStatus(lines);
    const ports = new Map<string, number>();
    for (const { cid, address, port } of this.#rows) {
      if (port !== undefined) ports.set(`${cid ?? ''} ${address}`, port);
    }
    this.#rows = reply.clients.flatMap((row) => {
      const known = placed(row, row.port ?? ports.get(`${row.cid ?? ''} ${row.address}`));
      return this.#hasLeft(known, askedAt) ? [] : [known];
    });
    this.#outdated.clear();
    this.#unnamed = reply.unnamed;
    // of whom it does not list all, what the hooks say counts
    this.#askedAt = reply.beyond !== undefined ? undefined : askedAt;
    for (const [endpoint, at] of this.#left) if (at < askedAt) this.#left.delete(endpoint);
    this.#placeRows();
    this.#tellProblems(reply);
    if (reply.beyond !== undefined) this.#tellBeyond();
    else if (reply.problems.length === 0) this.#discardStale();
    // and then it is joined with what else is known
    this.#pace.took(performance.now() - start + this.#lookMs);
    this.update();
  }

  #onClient({ type, cid, fields }: ClientNotice): void {
    if (type === 'DISCONNECT') this.#rows = this.#rows.filter((row) => row.cid !== cid);
    else {
      const parsed = readFields(fields);
      if ('record' in parsed) {
        const { real, commonName, virtual, since } = parsed.record;
        const row = {
          commonName,
          address: real.address,
          virtual,
          cid,
          ...(since !== undefined && { since }),
        };
        this.#dropOutdated();
        const others = this.#rows.filter((other) => other.cid !== cid);
        if (others.length < MOST_SESSIONS) this.#rows = [...others, placed(row, real.port)];
        else this.#tellBeyond();
        this.#left.delete(formatEndpoint(real));
      }
    }
    this.#askSoon();
    this.update();
  }

  /** What is known stays known while the process lives: only nobody tells us of changes now, except the hooks. */
  #onLost(): void {
    this.#looks = LOOK_AFTER_MS.map((ms) =>
      setTimeout(() => {
        this.#checkProcess();
        this.update();
      }, ms),
    );
    this.update();
  }

  readonly #onAdded = (known: KnownRecord): void => {
    if (!this.#owns(known)) this.#checkProcess();
    if (!this.#owns(known)) return;
    const endpoint = formatEndpoint(known.record.real);
    if (this.#outdated.has(endpoint)) this.#dropOutdated();
    this.#left.delete(endpoint);
    this.#askSoon();
    this.update();
  };

  readonly #onRemoved = ({ record }: KnownRecord): void => {
    if (record.pid === this.pid) {
      const endpoint = formatEndpoint(record.real);
      this.#left.set(endpoint, performance.now());
      this.#outdated.add(endpoint);
      this.#askSoon();
    }
    this.update();
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
        this.#events.addUser(facts.euid);
        return;
      }
      if (this.management?.ready === true) {
        const what =
          facts.is === 'gone' ? 'does not exist (is it in another PID namespace?)' : `is ${facts.exe}`;
        this.#report(
          `the management interface at ${this.management.name} says it is process ${pid}, which ${what}`,
        );
      }
    } catch (error) {
      this.#report(`cannot look at process ${pid} (is subflowd running as root?): ${reasonOf(error)}`);
    }
    this.#forgetProcess();
  }

  #forgetProcess(): void {
    this.#info = undefined;
    this.#rows = [];
    this.#unnamed = [];
    this.#askedAt = undefined;
    this.#left.clear();
    this.#outdated.clear();
  }

  #owns({ record }: KnownRecord): boolean {
    const owner = ownerOf(record.pid, this.#claimants);
    return 'claimant' in owner && owner.claimant === this;
  }

  #ownRecords(): KnownRecord[] {
    return this.#events.records().filter((known) => this.#owns(known));
  }

  #known(): Known {
    return {
      server: this.name,
      pid: this.pid,
      rows: this.#rows,
      unnamed: this.#unnamed,
      askedAt: this.#askedAt,
      records: this.#ownRecords(),
    };
  }

  #hasLeft({ endpoint = '' }: Row, askedAt: number): boolean {
    const left = this.#left.get(endpoint);
    return left !== undefined && left >= askedAt;
  }

  #dropOutdated(): void {
    if (this.#outdated.size === 0) return;
    this.#rows = this.#rows.filter(({ endpoint = '' }) => !this.#outdated.has(endpoint));
    this.#outdated.clear();
  }

  /**
   * Gives rows without a port (IPv6, OpenVPN before 2.7) the port of the record of the same client: OpenVPN gives
   * both the same time.
   */
  #placeRows(): void {
    if (this.#rows.every(({ port }) => port !== undefined)) return;
    const taken = new Set(this.#rows.map(({ endpoint }) => endpoint));
    const free = this.#ownRecords().filter(({ record }) => !taken.has(formatEndpoint(record.real)));
    this.#rows = this.#rows.map((row) => {
      if (row.port !== undefined) return row;
      const index = free.findIndex(
        ({ record }) =>
          record.real.address === row.address &&
          record.commonName === row.commonName &&
          (record.since === undefined || row.since === undefined || record.since === row.since),
      );
      const [match] = index === -1 ? [] : free.splice(index, 1);
      return placed(row, match?.record.real.port);
    });
  }

  /** A record that management, asked after it was seen, knows nothing of: client-disconnect did not run. */
  #discardStale(): void {
    if (this.pid === undefined) return;
    const all = this.#known();
    const counts = judge(all);
    for (const known of all.records) {
      const { record, path } = known;
      if (record.pid !== this.pid || counts(known) || !this.#events.discard(known)) continue;
      this.#report(
        `${JSON.stringify(path)} records ${JSON.stringify(record.commonName)} at ${formatEndpoint(record.real)}, whom OpenVPN ` +
          `${this.name} does not have: removed (is client-disconnect in its config?)`,
      );
    }
  }

  #tellProblems(reply: StatusReply): void {
    for (const problem of reply.problems) this.#report(`${this.name}: ${problem}`);
    if (reply.dco) {
      this.#report(
        `OpenVPN ${this.name} uses data-channel offload, which does no MPTCP: add disable-dco to its config`,
      );
    }
  }

  #tellBeyond(): void {
    this.#report(
      `OpenVPN ${this.name} has more than ${MOST_SESSIONS} clients: those beyond are neither shown nor steered, ` +
        'unless its hooks tell of them; run several servers (max-clients in its config is the limit of one)',
    );
  }

  /** Each text once for each connection to management. */
  #report(text: string): void {
    if (this.#problems.has(text) || this.#problems.size >= 64) return;
    this.#problems.add(text);
    this.emit('problem', text);
  }
}
