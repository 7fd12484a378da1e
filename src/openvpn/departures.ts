import { formatEndpoint } from '../model/endpoint.js';
import { canBeRecordOf, type ClientTraits } from './pairing.js';
import type { SessionRecord } from './records/record.js';

interface Departure {
  readonly record: SessionRecord;
  /** `performance.now()`. */
  readonly at: number;
}

/** The disconnects of one process's clients, as hooks reported them. Its owner decides for how long they are remembered. */
export class Departures {
  readonly #byEndpoint = new Map<string, readonly Departure[]>();

  /** Number of endpoints with a disconnected client. */
  get size(): number {
    return this.#byEndpoint.size;
  }

  /** Adds a disconnect. @param at `performance.now()`. */
  add(record: SessionRecord, at: number): void {
    const endpoint = formatEndpoint(record.real);
    this.#byEndpoint.set(endpoint, [...(this.#byEndpoint.get(endpoint) ?? []), { record, at }]);
  }

  /** Whether a client disconnected at or after `at`, by default at any time. */
  has(client: ClientTraits, at = -Infinity): boolean {
    const here = this.#byEndpoint.get(client.endpoint ?? '') ?? [];
    return here.some((one) => one.at >= at && canBeRecordOf(one.record, client));
  }

  /** Forgets a client, because it is connected again, or another one with the same traits is. */
  forget(client: ClientTraits): void {
    this.#keep((one) => !canBeRecordOf(one.record, client), [client.endpoint ?? '']);
  }

  /** Forgets the clients that disconnected before `at`. */
  forgetBefore(at: number): void {
    this.#keep((one) => one.at >= at, [...this.#byEndpoint.keys()]);
  }

  clear(): void {
    this.#byEndpoint.clear();
  }

  #keep(isKept: (one: Departure) => boolean, endpoints: readonly string[]): void {
    for (const endpoint of endpoints) {
      const kept = this.#byEndpoint.get(endpoint)?.filter(isKept) ?? [];
      if (kept.length > 0) this.#byEndpoint.set(endpoint, kept);
      else this.#byEndpoint.delete(endpoint);
    }
  }
}
