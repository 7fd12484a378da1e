import type { PlainPeer } from '../../model/connection.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { AddressSpace } from '../memory/address-space.js';
import { Connections, type Walked } from './connections.js';
import type { Found, Place, Walk } from './family.js';
import type { OpenFiles } from './files.js';
import type { Layout } from '../layout/layout.js';
import type { PriorityBits } from '../commit/priority-bits.js';
import { Reading } from '../memory/reading.js';
import { TcpCounters } from './tcp-counters.js';

/**
 * Looks at one server. Where all is as the last look read it, and only counters went on, as is so most of the time, no
 * pointer is followed: one call of the addon tells so.
 */
export abstract class ServerWalk implements Walk {
  /** All but counters is read through it. */
  protected readonly reading: Reading;
  protected readonly counters: TcpCounters;
  readonly #connections: Connections;
  #last: { readonly files: OpenFiles; readonly found: Found } | undefined;

  constructor(
    space: AddressSpace,
    layout: Layout,
    bits: PriorityBits,
    protected readonly pid: number,
  ) {
    this.reading = new Reading(space);
    this.counters = new TcpCounters(space, layout);
    this.#connections = new Connections(pid, bits.heeds);
  }

  placeAt(remote: Endpoint): Place | undefined {
    return this.#connections.placeAt(remote);
  }

  forget(remote: Endpoint): void {
    this.#connections.forget(remote);
  }

  connections(files: OpenFiles): Found {
    const last = this.#last;
    // a look that ends half-way is none to compare the next one with
    this.#last = undefined;
    const isThere = last?.files === files && this.reading.holds();
    if (isThere && this.counters.readAgain()) this.#connections.recount(this.counters);
    const found = isThere ? last.found : this.#anew(files);
    this.#last = { files, found };
    return found;
  }

  /** Follows every pointer. @param problems and @param plain get what is no connection. */
  protected abstract follow(files: OpenFiles, problems: string[], plain: PlainPeer[]): Walked;

  #anew(files: OpenFiles): Found {
    const problems: string[] = [];
    const plain: PlainPeer[] = [];
    this.reading.begin();
    return this.#connections.of(this.follow(files, problems, plain), problems, plain);
  }
}
