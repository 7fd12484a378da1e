import { formatEndpoint } from '../model/endpoint.js';
import type { Session } from '../model/session.js';
import type { Problems } from '../util/problems.js';
import { attributeProcess, type ServerIdentity } from './attribution.js';
import { canBeRecordOf } from './pairing.js';
import type { HookRecords } from './records/hook-records.js';
import { limitProcesses, MAX_PROCESSES } from './records/process-limit.js';
import type { ValidRecord } from './records/record-table.js';

/** The hook records of one server. Several servers can have one events directory. */
export class OwnRecords {
  /**
   * @param server whose records these are.
   * @param hookRecords of its events directory.
   * @param servers all servers with this events directory, including `server`.
   * @param onEvent takes a report of something that happened once.
   */
  constructor(
    private readonly server: ServerIdentity,
    private readonly hookRecords: HookRecords,
    private readonly servers: ReadonlySet<ServerIdentity>,
    private readonly problems: Problems,
    private readonly onEvent: (text: string) => void,
  ) {}

  /** Whether a record is of this server's process. */
  isOwn({ record }: ValidRecord): boolean {
    const found = attributeProcess(record.pid, this.servers);
    return 'server' in found && found.server === this.server;
  }

  /** The server's records, of at most {@link MAX_PROCESSES} processes. Reports a problem if there are more processes. */
  list(): ValidRecord[] {
    const own = this.hookRecords.records().filter((one) => this.isOwn(one));
    const { records, crowded } = limitProcesses(own);
    const [directory] = crowded;
    if (directory === undefined) this.problems.resolve('processes');
    else {
      this.problems.open(
        'processes',
        `${directory} has records of more than ${MAX_PROCESSES} processes: the sessions of the others are neither shown ` +
          'nor steered; to fix it: end the processes that are not OpenVPN, or set `management =` in ' +
          `[openvpn ${this.server.name}]`,
      );
    }
    return records;
  }

  /** Makes the directory for the hooks of this user. */
  addUser(uid: number): void {
    this.hookRecords.addUser(uid);
  }

  /** Removes a record. @returns whether this call removed it. */
  discard(one: ValidRecord): boolean {
    return this.hookRecords.discard(one);
  }

  /** Removes the records of a session whose connection is gone. */
  discardDisconnected({ pid, real, since, protocol, commonName }: Session): void {
    const endpoint = formatEndpoint(real);
    const client = { endpoint, ...(since !== undefined && { since }), ...(protocol && { protocol }) };
    for (const one of this.list()) {
      if (one.record.pid !== pid || !canBeRecordOf(one.record, client) || !this.discard(one)) continue;
      this.onEvent(
        `removed the record ${JSON.stringify(one.path)} of ${JSON.stringify(commonName)} at ${endpoint}: its connection is ` +
          'gone, and client-disconnect did not run',
      );
    }
  }

  /**
   * Removes the records of a process whose clients OpenVPN does not list.
   * @param records those that existed before OpenVPN was asked.
   * @param isCurrent whether OpenVPN lists the client of a record.
   */
  discardUnlisted(
    pid: number,
    records: readonly ValidRecord[],
    isCurrent: (record: ValidRecord) => boolean,
  ): void {
    for (const one of records) {
      const { record, path } = one;
      if (record.pid !== pid || isCurrent(one) || !this.discard(one)) continue;
      this.onEvent(
        `removed the record ${JSON.stringify(path)} of ${JSON.stringify(record.commonName)} at ` +
          `${formatEndpoint(record.real)}: OpenVPN ${this.server.name} does not list this client ` +
          '(is client-disconnect in its config?)',
      );
    }
  }
}
