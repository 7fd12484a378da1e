import { formatEndpoint } from '../model/endpoint.js';
import type { Protocol } from '../model/session.js';
import type { SessionRecord } from './records/record.js';
import type { ValidRecord } from './records/record-table.js';

/** What distinguishes the clients of one process. A member is absent if its value is not known. */
export interface ClientTraits {
  /** {@link formatEndpoint} of the client's real address and port. */
  readonly endpoint?: string;
  /** Unix time in seconds. OpenVPN gives the same one to hooks, real-time messages and `status`. */
  readonly since?: number;
  readonly protocol?: Protocol;
}

/**
 * Whether a hook's record can be that of a client: both have the same endpoint, and nothing that is known of both differs.
 * With OpenVPN 2.7 a UDP client and a TCP client can have the same endpoint.
 */
export function canBeRecordOf({ real, since, protocol }: SessionRecord, client: ClientTraits): boolean {
  return (
    formatEndpoint(real) === client.endpoint &&
    (since === undefined || client.since === undefined || since === client.since) &&
    (protocol === undefined || client.protocol === undefined || protocol === client.protocol)
  );
}

/** A client as OpenVPN lists it, or as a hook recorded it. */
export interface TunnelClient {
  readonly since?: number;
  readonly protocol?: Protocol;
  /** Addresses inside the tunnel. */
  readonly virtual: readonly string[];
}

/**
 * Keys that a client keeps when it floats, which only a client over UDP can do: it then sends from another endpoint. Each key
 * is the time when it connected and one address inside the tunnel. A client over TCP has none.
 */
export function floatKeys({ since, protocol, virtual }: TunnelClient): readonly string[] {
  return since === undefined || protocol === 'tcp' ? [] : virtual.map((address) => `${since} ${address}`);
}

/** Finds the record of each client. A record that a client has taken is removed, so no two clients get the same one. */
export class RecordsByEndpoint {
  readonly #byEndpoint = new Map<string, ValidRecord[]>();
  readonly #byFloatKey = new Map<string, ValidRecord>();

  constructor(records: Iterable<ValidRecord>) {
    for (const valid of records) {
      const endpoint = formatEndpoint(valid.record.real);
      const others = this.#byEndpoint.get(endpoint);
      if (others) others.push(valid);
      else this.#byEndpoint.set(endpoint, [valid]);
      for (const key of floatKeys(valid.record)) this.#byFloatKey.set(key, valid);
    }
  }

  /** Removes the record of a client and returns it; undefined if there is none. */
  take(client: ClientTraits & TunnelClient): ValidRecord | undefined {
    return this.#takeSameEndpoint(client) ?? this.#takeFloated(client);
  }

  /** The records that no client took. */
  *remaining(): Iterable<ValidRecord> {
    for (const records of this.#byEndpoint.values()) yield* records;
  }

  /** Of several records, prefers one with the same address inside the tunnel. */
  #takeSameEndpoint(client: ClientTraits & TunnelClient): ValidRecord | undefined {
    const sameEndpoint = this.#byEndpoint.get(client.endpoint ?? '');
    if (sameEndpoint === undefined) return undefined;
    const candidates = sameEndpoint.filter(({ record }) => canBeRecordOf(record, client));
    const found =
      candidates.find(({ record }) => record.virtual.some((address) => client.virtual.includes(address))) ??
      candidates[0];
    if (found) sameEndpoint.splice(sameEndpoint.indexOf(found), 1);
    return found;
  }

  #takeFloated(client: TunnelClient): ValidRecord | undefined {
    for (const key of floatKeys(client)) {
      const found = this.#byFloatKey.get(key);
      if (found === undefined) continue;
      const sameEndpoint = this.#byEndpoint.get(formatEndpoint(found.record.real)) ?? [];
      const index = sameEndpoint.indexOf(found);
      // another client has taken it by its endpoint
      if (index === -1) continue;
      sameEndpoint.splice(index, 1);
      return found;
    }
    return undefined;
  }
}

/**
 * Splits records into current and superseded ones. A record is superseded if the same process has a later one with the same
 * endpoint: client-disconnect did not run. Both are current if both clients can be connected: if the process listens at
 * several addresses, or if the later record does not say whether its client is over UDP or TCP.
 */
export function splitSuperseded(records: readonly ValidRecord[]): {
  readonly current: readonly ValidRecord[];
  readonly superseded: readonly ValidRecord[];
} {
  const newest = new Map<string, ValidRecord>();
  const superseded = new Set<ValidRecord>();
  for (const valid of records) {
    const key = `${valid.record.pid} ${formatEndpoint(valid.record.real)}`;
    const other = newest.get(key);
    const [older, newer] = other === undefined || isLater(valid, other) ? [other, valid] : [valid, other];
    newest.set(key, newer);
    if (older && newer.record.protocol !== undefined && !newer.record.isOneOfSeveral) superseded.add(older);
  }
  if (superseded.size === 0) return { current: records, superseded: [] };
  return { current: records.filter((valid) => !superseded.has(valid)), superseded: [...superseded] };
}

function isLater(one: ValidRecord, other: ValidRecord): boolean {
  const [time, otherTime] = [one.record.since ?? 0, other.record.since ?? 0];
  return time === otherTime ? one.seenAt >= other.seenAt : time > otherTime;
}
