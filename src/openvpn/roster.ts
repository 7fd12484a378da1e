import { Departures } from './departures.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { KnownRecord } from './records/record-table.js';
import type { ClientNotice } from './management/management.js';
import { withPorts } from './ports.js';
import { readFields, type EventRecord } from './records/record.js';
import { MOST_SESSIONS, type ClientRow, type StatusReply } from './management/status.js';
import { placed, type Row, type Word } from './view.js';

/**
 * Whom management lists, kept up to date by what notices and hooks say between two answers to `status`: the later word
 * counts.
 */
export class Roster {
  #rows: Row[] = [];
  #unnamed: readonly ClientRow[] = [];
  #askedAt: number | undefined;
  /** What `>CLIENT:ESTABLISHED` said, by CID. */
  readonly #notices = new Map<number, Word>();
  /** Who left, as hooks said; kept until a later `status`. */
  readonly #left = new Departures();
  /** Of these, those whose rows are still there. */
  readonly #outdated = new Departures();

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Handshakes: a hook may know more. */
  get unnamed(): readonly ClientRow[] {
    return this.#unnamed;
  }

  /** `performance.now()` at which the newest answered `status` was asked for. */
  get askedAt(): number | undefined {
    return this.#askedAt;
  }

  /** Takes an answer to `status`. @param askedAt `performance.now()`. */
  answered({ clients, unnamed, beyond }: StatusReply, askedAt: number): void {
    const before = new Map(this.#rows.map((row) => [`${row.cid ?? ''} ${row.address}`, row]));
    this.#rows = clients.flatMap((row) => {
      const { port, protocol } = before.get(`${row.cid ?? ''} ${row.address}`) ?? {};
      const notice = row.cid === undefined ? undefined : this.#notices.get(row.cid);
      const known = {
        ...placed(row, row.port ?? port),
        ...(row.protocol === undefined && protocol !== undefined && { protocol }),
        ...(notice && { notice }),
      };
      return this.#left.has(known, askedAt) ? [] : [known];
    });
    this.#outdated.clear();
    this.#unnamed = unnamed;
    // of whom it does not list all, what the hooks say counts
    this.#askedAt = beyond === undefined ? askedAt : undefined;
    this.#left.forgetBefore(askedAt);
    const cids = new Set(clients.map(({ cid }) => cid));
    for (const [cid, { at }] of this.#notices) if (at < askedAt && !cids.has(cid)) this.#notices.delete(cid);
  }

  /** Takes a notice that came just now. @returns whether there is room for its client. */
  noticed({ type, cid, fields }: ClientNotice): boolean {
    if (type === 'DISCONNECT') {
      this.drop(cid);
      return true;
    }
    const parsed = readFields(fields);
    if (!('record' in parsed)) return true;
    const { real, commonName, virtual, since, protocol } = parsed.record;
    const others = this.#rows.filter((other) => other.cid !== cid);
    if (others.length >= MOST_SESSIONS) return false;
    const notice = { at: performance.now(), virtual };
    this.#notices.set(cid, notice);
    const row = {
      commonName,
      address: real.address,
      virtual,
      cid,
      notice,
      ...(since !== undefined && { since }),
      ...(protocol && { protocol }),
    };
    const known = placed(row, real.port);
    this.settle();
    this.#rows = [...this.#rows.filter((other) => other.cid !== cid), known];
    this.#left.forget(known);
    return true;
  }

  /** A hook recorded a client. */
  came(record: EventRecord): void {
    const client = { ...record, endpoint: formatEndpoint(record.real) };
    if (this.#outdated.has(client)) this.settle();
    this.#left.forget(client);
  }

  /**
   * A hook said that a client left.
   * @param isAsked a `status` may have been asked for before, and be answered after this; else nothing has to be
   * remembered, for however long management is away.
   */
  left(record: EventRecord, isAsked: boolean): void {
    if (isAsked) this.#left.add(record, performance.now());
    this.#outdated.add(record, performance.now());
  }

  /** Addresses and ports of those who left that are remembered until a `status`. */
  get remembered(): number {
    return this.#left.size;
  }

  /** Drops a row. */
  drop(cid: number): void {
    this.#notices.delete(cid);
    this.#rows = this.#rows.filter((row) => row.cid !== cid);
  }

  /** Drops the rows of those who left, all at once. */
  settle(): void {
    if (this.#outdated.size === 0) return;
    this.#rows = this.#rows.filter((row) => !this.#outdated.has(row));
    this.#outdated.clear();
  }

  /** See {@link withPorts}. */
  findPorts(records: () => readonly KnownRecord[]): void {
    this.#rows = withPorts(this.#rows, records);
  }

  /** The process is another. */
  clear(): void {
    this.#rows = [];
    this.#unnamed = [];
    this.#askedAt = undefined;
    this.#notices.clear();
    this.#left.clear();
    this.#outdated.clear();
  }
}
