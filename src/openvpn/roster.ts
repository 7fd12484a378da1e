import { Departures } from './departures.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { ValidRecord } from './records/record-table.js';
import type { ClientNotice } from './management/client-notices.js';
import { withPorts } from './ports.js';
import { readFields, type SessionRecord } from './records/record.js';
import { MOST_SESSIONS, type ClientRow, type StatusReply } from './management/status.js';
import { withPort, type RosterRow, type Authentication } from './merge.js';

/**
 * Whom management lists, kept up to date by what notices and hooks say between two answers to `status`: the later word
 * counts.
 */
export class Roster {
  #rows: RosterRow[] = [];
  #unnamed: readonly ClientRow[] = [];
  #askedAt: number | undefined;
  /** What `>CLIENT:ESTABLISHED` said, by CID. */
  readonly #notices = new Map<number, Authentication>();
  /** Who left, as hooks said; kept until a later `status`. */
  readonly #disconnected = new Departures();
  /** Of these, those whose rows are still there. */
  readonly #rowsToRemove = new Departures();

  get rows(): readonly RosterRow[] {
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
  applyStatus({ clients, unnamed, omitted: beyond }: StatusReply, askedAt: number): void {
    const before = new Map(this.#rows.map((row) => [`${row.cid ?? ''} ${row.address}`, row]));
    this.#rows = clients.flatMap((row) => {
      const { port, protocol } = before.get(`${row.cid ?? ''} ${row.address}`) ?? {};
      const notice = row.cid === undefined ? undefined : this.#notices.get(row.cid);
      const known = {
        ...withPort(row, row.port ?? port),
        ...(row.protocol === undefined && protocol !== undefined && { protocol }),
        ...(notice && { notice }),
      };
      return this.#disconnected.has(known, askedAt) ? [] : [known];
    });
    this.#rowsToRemove.clear();
    this.#unnamed = unnamed;
    // of whom it does not list all, what the hooks say counts
    this.#askedAt = beyond === undefined ? askedAt : undefined;
    this.#disconnected.forgetBefore(askedAt);
    const cids = new Set(clients.map(({ cid }) => cid));
    for (const [cid, { at }] of this.#notices) if (at < askedAt && !cids.has(cid)) this.#notices.delete(cid);
  }

  /** Takes a notice that came just now. @returns whether there is room for its client. */
  applyNotice({ type, cid, fields }: ClientNotice): boolean {
    if (type === 'DISCONNECT') {
      this.remove(cid);
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
    const known = withPort(row, real.port);
    this.removeDisconnected();
    this.#rows = [...this.#rows.filter((other) => other.cid !== cid), known];
    this.#disconnected.forget(known);
    return true;
  }

  /** A hook recorded a client. */
  recordAdded(record: SessionRecord): void {
    const client = { ...record, endpoint: formatEndpoint(record.real) };
    if (this.#rowsToRemove.has(client)) this.removeDisconnected();
    this.#disconnected.forget(client);
  }

  /**
   * A hook said that a client left.
   * @param isAsked a `status` may have been asked for before, and be answered after this; else nothing has to be
   * remembered, for however long management is away.
   */
  recordRemoved(record: SessionRecord, isAsked: boolean): void {
    if (isAsked) this.#disconnected.add(record, performance.now());
    this.#rowsToRemove.add(record, performance.now());
  }

  /** Addresses and ports of those who left that are remembered until a `status`. */
  get rememberedDepartures(): number {
    return this.#disconnected.size;
  }

  /** Drops a row. */
  remove(cid: number): void {
    this.#notices.delete(cid);
    this.#rows = this.#rows.filter((row) => row.cid !== cid);
  }

  /** Drops the rows of those who left, all at once. */
  removeDisconnected(): void {
    if (this.#rowsToRemove.size === 0) return;
    this.#rows = this.#rows.filter((row) => !this.#rowsToRemove.has(row));
    this.#rowsToRemove.clear();
  }

  /** See {@link withPorts}. */
  findPorts(records: () => readonly ValidRecord[]): void {
    this.#rows = withPorts(this.#rows, records);
  }

  /** The process is another. */
  clear(): void {
    this.#rows = [];
    this.#unnamed = [];
    this.#askedAt = undefined;
    this.#notices.clear();
    this.#disconnected.clear();
    this.#rowsToRemove.clear();
  }
}
