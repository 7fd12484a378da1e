import { EventEmitter } from 'node:events';
import type { ServerConfig } from '../config/config.js';
import { formatEndpoint, type Endpoint } from '../endpoint.js';
import { ownerOf, type Claimant } from './attribution.js';
import { reasonOf } from './errno.js';
import type { Events, KnownRecord } from './events.js';
import { Management, type ClientNotice, type ManagementInfo, type ManagementOptions } from './management.js';
import { probeProcess, type ProcessProbe } from './process.js';
import { readFields } from './record.js';
import type { Session } from './session.js';
import { parseStatus, type ClientRow, type StatusReply } from './status.js';

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

/** A session whose port OpenVPN has not told: only the kernel can say which connection it is. */
export interface UnplacedSession extends Omit<Session, 'real'> {
  /** Canonical text. */
  readonly address: string;
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
  readonly management?: Omit<ManagementOptions, 'passwordFile'>;
  /** Milliseconds between two looks at everything, needed or not. */
  readonly pollMs?: number;
}

/** News within this many milliseconds are asked about together. */
const GATHER_MS = 100;
/** Least milliseconds between two `status` that news ask for. */
const MIN_STATUS_MS = 1_000;
/** When to look whether the process lives after its management interface hung up, in milliseconds. */
const LOOK_AFTER_MS = [50, 500, 2_000];

interface Row extends ClientRow {
  /** Once a hook or `>CLIENT:ESTABLISHED` has told what `status` does not. */
  readonly port?: number;
}

interface View {
  readonly sessions: readonly Session[];
  readonly unplaced: readonly UnplacedSession[];
  readonly recorded: number;
}

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
  #view: View = { sessions: [], unplaced: [], recorded: 0 };
  #told = { sessions: '[]', status: '' };
  readonly #problems = new Set<string>();
  #poll: NodeJS.Timeout | undefined;
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
    this.#poll = setInterval(() => {
      this.#checkProcess();
      this.management?.requestStatus();
      this.update();
    }, this.#pollMs);
    this.update();
  }

  stop(): void {
    this.#running = false;
    this.#events.off('added', this.#onAdded).off('removed', this.#onRemoved);
    this.management?.stop();
    clearInterval(this.#poll);
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

  /** Brings `sessions()` up to date; for whoever knows that a claimant's process changed. */
  update(): void {
    if (!this.#running) return;
    this.#view = this.#look();
    const sessions = JSON.stringify([this.#view.sessions, this.#view.unplaced]);
    const status = JSON.stringify(this.status());
    const changed = { sessions: sessions !== this.#told.sessions, status: status !== this.#told.status };
    this.#told = { sessions, status };
    if (changed.status) this.emit('status');
    if (changed.sessions) this.emit('change');
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
    const reply = parseStatus(lines);
    const ports = new Map(this.#rows.map(({ cid, address, port }) => [`${cid ?? ''} ${address}`, port]));
    this.#rows = reply.clients.flatMap((row) => {
      const port = row.port ?? ports.get(`${row.cid ?? ''} ${row.address}`);
      const known = port === undefined ? row : { ...row, port };
      return this.#hasLeft(known, askedAt) ? [] : [known];
    });
    this.#unnamed = reply.unnamed;
    this.#askedAt = askedAt;
    for (const [endpoint, at] of this.#left) if (at < askedAt) this.#left.delete(endpoint);
    this.#placeRows();
    this.#tellProblems(reply);
    if (reply.problems.length === 0) this.#discardStale();
    this.update();
  }

  #onClient({ type, cid, fields }: ClientNotice): void {
    if (type === 'DISCONNECT') this.#rows = this.#rows.filter((row) => row.cid !== cid);
    else {
      const parsed = readFields(fields);
      if ('record' in parsed) {
        const { real, commonName, virtual, since } = parsed.record;
        const row = { commonName, ...real, virtual, cid, ...(since !== undefined && { since }) };
        this.#rows = [...this.#rows.filter((other) => other.cid !== cid), row];
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
    this.#left.delete(formatEndpoint(known.record.real));
    this.#placeRows();
    this.#askSoon();
    this.update();
  };

  readonly #onRemoved = ({ record }: KnownRecord): void => {
    if (record.pid === this.pid) {
      const endpoint = formatEndpoint(record.real);
      this.#left.set(endpoint, performance.now());
      this.#rows = this.#rows.filter((row) => endpointOf(row) !== endpoint);
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
  }

  #owns({ record }: KnownRecord): boolean {
    const owner = ownerOf(record.pid, this.#claimants);
    return 'claimant' in owner && owner.claimant === this;
  }

  #ownRecords(): KnownRecord[] {
    return this.#events.records().filter((known) => this.#owns(known));
  }

  #hasLeft(row: Row, askedAt: number): boolean {
    const left = this.#left.get(endpointOf(row) ?? '');
    return left !== undefined && left >= askedAt;
  }

  /**
   * Gives rows without a port (IPv6, OpenVPN before 2.7) the port of the record of the same client: OpenVPN gives
   * both the same time.
   */
  #placeRows(): void {
    if (this.#rows.every(({ port }) => port !== undefined)) return;
    const taken = new Set(this.#rows.map(endpointOf));
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
      return match === undefined ? row : { ...row, port: match.record.real.port };
    });
  }

  /** A record that management, asked after it was seen, knows nothing of: client-disconnect did not run. */
  #discardStale(): void {
    if (this.pid === undefined) return;
    for (const known of this.#ownRecords()) {
      const { record, path } = known;
      if (record.pid !== this.pid || this.#counts(known)) continue;
      this.#report(
        `${JSON.stringify(path)} records ${JSON.stringify(record.commonName)} at ${formatEndpoint(record.real)}, whom OpenVPN ` +
          `${this.name} does not have: removed (is client-disconnect in its config?)`,
      );
      this.#events.discard(known);
    }
  }

  /** Whether a record is a session's, given what management says. */
  #counts({ record, seenAt }: KnownRecord): boolean {
    if (this.#askedAt === undefined || seenAt >= this.#askedAt) return true;
    const endpoint = formatEndpoint(record.real);
    if (this.#rows.some((row) => endpointOf(row) === endpoint)) return true;
    return this.#unnamed.some(
      ({ address, port }) => address === record.real.address && port === record.real.port,
    );
  }

  #look(): View {
    const records = this.#ownRecords();
    const byEndpoint = new Map(
      records
        .filter(({ record }) => this.pid === undefined || record.pid === this.pid)
        .map((known) => [formatEndpoint(known.record.real), known]),
    );
    const sessions: Session[] = [];
    const unplaced: UnplacedSession[] = [];
    let recorded = 0;
    const { pid } = this;
    for (const row of pid === undefined ? [] : this.#rows) {
      const { commonName, address, port, cid, virtual } = row;
      const common = { server: this.name, pid: pid as number, commonName, ...(cid !== undefined && { cid }) };
      if (port === undefined) {
        unplaced.push({ ...common, address, virtual, ...(row.since !== undefined && { since: row.since }) });
        continue;
      }
      const real: Endpoint = { address, port };
      const known = byEndpoint.get(formatEndpoint(real));
      byEndpoint.delete(formatEndpoint(real));
      if (known) recorded += 1;
      const since = row.since ?? known?.record.since;
      sessions.push({
        ...common,
        real,
        virtual: virtual.length > 0 ? virtual : (known?.record.virtual ?? []),
        ...(since !== undefined && { since }),
      });
    }
    // where the process is not known, the records of several can have one endpoint: they are all sessions
    for (const known of this.pid === undefined ? records : byEndpoint.values()) {
      if (this.pid !== undefined && !this.#counts(known)) continue;
      const { pid, commonName, real, virtual, since } = known.record;
      recorded += 1;
      sessions.push({
        server: this.name,
        pid,
        commonName,
        real,
        virtual,
        ...(since !== undefined && { since }),
      });
    }
    return { sessions, unplaced, recorded };
  }

  #tellProblems(reply: StatusReply): void {
    for (const problem of reply.problems) this.#report(`${this.name}: ${problem}`);
    if (reply.dco) {
      this.#report(
        `OpenVPN ${this.name} uses data-channel offload, which does no MPTCP: add disable-dco to its config`,
      );
    }
  }

  /** Each text once for each connection to management. */
  #report(text: string): void {
    if (this.#problems.has(text) || this.#problems.size >= 64) return;
    this.#problems.add(text);
    this.emit('problem', text);
  }
}

function endpointOf({ address, port }: Row): string | undefined {
  return port === undefined ? undefined : formatEndpoint({ address, port });
}
