import { formatEndpoint } from '../model/endpoint.js';
import { Departures } from './departures.js';
import type { ClientMessage } from './management/client-messages.js';
import { MAX_SESSIONS, type ClientRow, type StatusReply } from './management/status.js';
import { readFields, type SessionRecord } from './records/record.js';
import type { ValidRecord } from './records/record-table.js';
import { withPort, withPorts, type Authentication, type RosterRow } from './roster-row.js';

/**
 * The clients that management lists. Between two answers to `status`, real-time messages and hooks report what changed. If
 * they disagree with an answer, the later report counts.
 */
export class Roster {
  #rows: RosterRow[] = [];
  #unnamed: readonly ClientRow[] = [];
  #askedAt: number | undefined;
  /** From `>CLIENT:ESTABLISHED`, by client ID. */
  readonly #authentications = new Map<number, Authentication>();
  /** Clients that disconnected, as hooks reported; kept until a later `status`. */
  readonly #disconnected = new Departures();
  /** Disconnected clients whose rows are still in `rows`, because rows are removed in batches. */
  readonly #rowsToRemove = new Departures();

  get rows(): readonly RosterRow[] {
    return this.#rows;
  }

  /** Clients without a name: most are in their handshake. A hook may report more about them. */
  get unnamed(): readonly ClientRow[] {
    return this.#unnamed;
  }

  /**
   * `performance.now()` when the last answered `status` was requested; undefined if there is none, or if it had more clients
   * than subflowd reads.
   */
  get askedAt(): number | undefined {
    return this.#askedAt;
  }

  /** Takes an answer to `status`. @param askedAt `performance.now()` at the request. */
  applyStatus({ clients, unnamed, omitted }: StatusReply, askedAt: number): void {
    const before = new Map(this.#rows.map((row) => [rowKey(row), row]));
    this.#rows = clients.flatMap((row) => {
      // before 2.7 an answer has no protocol, and no port of a client over IPv6
      const { port, protocol } = before.get(rowKey(row)) ?? {};
      const authentication = row.cid === undefined ? undefined : this.#authentications.get(row.cid);
      const completed = {
        ...withPort(row, row.port ?? port),
        ...(row.protocol === undefined && protocol !== undefined && { protocol }),
        ...(authentication && { authentication }),
      };
      return this.#disconnected.has(completed, askedAt) ? [] : [completed];
    });
    this.#rowsToRemove.clear();
    this.#unnamed = unnamed;
    // if the list is not complete, all records count
    this.#askedAt = omitted === undefined ? askedAt : undefined;
    this.#disconnected.forgetBefore(askedAt);
    const cids = new Set(clients.map(({ cid }) => cid));
    for (const [cid, { at }] of this.#authentications) {
      if (at < askedAt && !cids.has(cid)) this.#authentications.delete(cid);
    }
  }

  /** Takes a message that arrived now. @returns false if there are already {@link MAX_SESSIONS} other clients. */
  applyMessage({ type, cid, fields }: ClientMessage): boolean {
    if (type === 'DISCONNECT') {
      this.remove(cid);
      return true;
    }
    const parsed = readFields(fields);
    if (!('record' in parsed)) return true;
    const { real, commonName, virtual, since, protocol } = parsed.record;
    const others = this.#rows.filter((other) => other.cid !== cid);
    if (others.length >= MAX_SESSIONS) return false;
    const authentication = { at: performance.now(), virtual };
    this.#authentications.set(cid, authentication);
    const row = {
      commonName,
      address: real.address,
      virtual,
      cid,
      authentication,
      ...(since !== undefined && { since }),
      ...(protocol && { protocol }),
    };
    const completed = withPort(row, real.port);
    this.removeDisconnected();
    this.#rows = [...this.#rows.filter((other) => other.cid !== cid), completed];
    this.#disconnected.forget(completed);
    return true;
  }

  /** Takes the record of a hook that a client connected. */
  recordAdded(record: SessionRecord): void {
    const client = { ...record, endpoint: formatEndpoint(record.real) };
    if (this.#rowsToRemove.has(client)) this.removeDisconnected();
    this.#disconnected.forget(client);
  }

  /**
   * Takes the report of a hook that a client disconnected.
   * @param isConnected whether management is connected. If it is, the answer to an earlier request can still list the client,
   * so the disconnect must be remembered.
   */
  recordRemoved(record: SessionRecord, isConnected: boolean): void {
    if (isConnected) this.#disconnected.add(record, performance.now());
    this.#rowsToRemove.add(record, performance.now());
  }

  /** Number of endpoints of disconnected clients that are remembered until the next `status`. */
  get rememberedDepartures(): number {
    return this.#disconnected.size;
  }

  /** Removes the row of this client ID. */
  remove(cid: number): void {
    this.#authentications.delete(cid);
    this.#rows = this.#rows.filter((row) => row.cid !== cid);
  }

  /** Removes the rows of all clients that disconnected. */
  removeDisconnected(): void {
    if (this.#rowsToRemove.size === 0) return;
    this.#rows = this.#rows.filter((row) => !this.#rowsToRemove.has(row));
    this.#rowsToRemove.clear();
  }

  /** See {@link withPorts}. */
  findPorts(records: () => readonly ValidRecord[]): void {
    this.#rows = withPorts(this.#rows, records);
  }

  /** Forgets everything: the process has changed. */
  clear(): void {
    this.#rows = [];
    this.#unnamed = [];
    this.#askedAt = undefined;
    this.#authentications.clear();
    this.#disconnected.clear();
    this.#rowsToRemove.clear();
  }
}

/** The same for one client in two answers to `status`. */
function rowKey({ cid, address }: Pick<RosterRow, 'cid' | 'address'>): string {
  return `${cid ?? ''} ${address}`;
}
