import { formatEndpoint } from '../model/endpoint.js';
import type { ValidRecord } from './records/record-table.js';
import type { SessionRecord } from './records/record.js';
import type { Protocol } from '../model/session.js';

/** What tells clients of one process apart, as far as it is known. */
export interface ClientTraits {
  /** {@link formatEndpoint} of where it comes from; absent without a port. */
  readonly endpoint?: string;
  /** Unix time in seconds; OpenVPN gives hooks, notices and `status` the same one. */
  readonly since?: number;
  readonly protocol?: Protocol;
}

/**
 * Whether a hook's record can be of a client: the same address and port, and nothing that contradicts it. With OpenVPN 2.7
 * a UDP and a TCP client can have both in common.
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
 * What a client keeps that comes from elsewhere than it did (float), as one over UDP can: when it came, and each address
 * inside the tunnel. None for one over TCP.
 */
export function floatKeys({ since, protocol, virtual }: TunnelClient): readonly string[] {
  return since === undefined || protocol === 'tcp' ? [] : virtual.map((address) => `${since} ${address}`);
}

/** Records, to be given to clients one by one. */
export class RecordsByEndpoint {
  readonly #records = new Map<string, ValidRecord[]>();
  readonly #byKept = new Map<string, ValidRecord>();

  constructor(records: Iterable<ValidRecord>) {
    for (const one of records) {
      const key = formatEndpoint(one.record.real);
      const others = this.#records.get(key);
      if (others) others.push(one);
      else this.#records.set(key, [one]);
      for (const kept of floatKeys(one.record)) this.#byKept.set(kept, one);
    }
  }

  /** The record of a client, which is then nobody else's. */
  take(client: ClientTraits & TunnelClient): ValidRecord | undefined {
    return this.#takeHere(client) ?? this.#takeFloated(client);
  }

  #takeFloated(client: TunnelClient): ValidRecord | undefined {
    for (const kept of floatKeys(client)) {
      const found = this.#byKept.get(kept);
      if (found === undefined) continue;
      const here = this.#records.get(formatEndpoint(found.record.real)) ?? [];
      const index = here.indexOf(found);
      if (index === -1) continue;
      here.splice(index, 1);
      return found;
    }
    return undefined;
  }

  /** Of several, the one with an address inside the tunnel in common. */
  #takeHere(client: ClientTraits & TunnelClient): ValidRecord | undefined {
    const here = this.#records.get(client.endpoint ?? '');
    if (here === undefined) return undefined;
    const candidates = here.filter(({ record }) => canBeRecordOf(record, client));
    const found =
      candidates.find(({ record }) => record.virtual.some((address) => client.virtual.includes(address))) ??
      candidates[0];
    if (found) here.splice(here.indexOf(found), 1);
    return found;
  }

  /** Those that nobody took. */
  *remaining(): Iterable<ValidRecord> {
    for (const records of this.#records.values()) yield* records;
  }
}

/**
 * Splits records into those that count and those of clients that another came after, from the same address and port of
 * the same process: client-disconnect did not run. Where a process listens at several places both can be there, so both
 * count.
 */
export function splitSuperseded(records: readonly ValidRecord[]): {
  readonly current: readonly ValidRecord[];
  readonly superseded: readonly ValidRecord[];
} {
  const newest = new Map<string, ValidRecord>();
  const superseded = new Set<ValidRecord>();
  for (const one of records) {
    const key = `${one.record.pid} ${formatEndpoint(one.record.real)}`;
    const other = newest.get(key);
    const [older, newer] = other === undefined || isLater(one, other) ? [other, one] : [one, other];
    newest.set(key, newer);
    if (older && newer.record.protocol !== undefined && !newer.record.isOneOfSeveral) superseded.add(older);
  }
  if (superseded.size === 0) return { current: records, superseded: [] };
  return { current: records.filter((one) => !superseded.has(one)), superseded: [...superseded] };
}

function isLater(one: ValidRecord, other: ValidRecord): boolean {
  const [time, otherTime] = [one.record.since ?? 0, other.record.since ?? 0];
  return time === otherTime ? one.seenAt >= other.seenAt : time > otherTime;
}
