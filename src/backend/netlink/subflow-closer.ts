import { destroySubflow } from './path-manager.js';
import { type FourTuple } from '../../model/endpoint.js';
import type { Family } from './family.js';
import type { NetworkNamespace } from './namespace.js';
import { NetlinkError } from './netlink-error.js';
import { subflowKey } from './tracked-servers.js';

/** The members of a network namespace that closing subflows in it needs. */
export type LimitedNamespace = Pick<NetworkNamespace, 'generic' | 'isOpen' | 'servers'>;

/** A subflow to close. */
export interface CloseRequest {
  readonly namespace: LimitedNamespace;
  readonly token: number;
  readonly fourTuple: FourTuple;
  /** Called when the subflow was closed. */
  readonly onClosed: () => void;
  /** Called when the kernel refuses to close subflows of this connection. */
  readonly onRefused: () => void;
}

/** Subflows closed in one turn of the event loop: some milliseconds of work. */
const REQUESTS_PER_TURN = 64;
/** Largest number of queued requests. */
export const MAX_QUEUED = 4_096;

/** Closes subflows one after another, a few in each turn of the event loop, so that other work does not wait long. */
export class SubflowCloser {
  readonly #family: Family;
  readonly #onOverflow: () => void;
  #queue: CloseRequest[] = [];
  /** Keys of the queued requests: an observation shows a queued subflow again, and it must not be queued twice. */
  readonly #queuedKeys = new Set<string>();
  #turn: NodeJS.Immediate | undefined;
  #hasOverflown = false;
  /** Whether the last closed IPv4 subflow was an IPv4-mapped IPv6 one. This form is tried first. */
  #isMapped = false;

  /** @param onOverflow called when there is room again after {@link add} returned false. */
  constructor(family: Family, onOverflow: () => void) {
    this.#family = family;
    this.#onOverflow = onOverflow;
  }

  /** Queues a request. @returns false if the queue is full. */
  add(closing: CloseRequest): boolean {
    const key = keyOf(closing);
    if (this.#queuedKeys.has(key)) return true;
    if (this.#queue.length >= MAX_QUEUED) {
      this.#hasOverflown = true;
      return false;
    }
    this.#queuedKeys.add(key);
    this.#queue.push(closing);
    this.#schedule();
    return true;
  }

  /** Whether a subflow of the connection with this token waits to be closed. */
  isQueued(subflow: Pick<CloseRequest, 'token' | 'fourTuple'>): boolean {
    return this.#queuedKeys.has(keyOf(subflow));
  }

  close(): void {
    this.#queue = [];
    this.#queuedKeys.clear();
    clearImmediate(this.#turn);
    this.#turn = undefined;
  }

  #schedule(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      const now = this.#queue.splice(0, REQUESTS_PER_TURN);
      for (const closing of now) {
        this.#queuedKeys.delete(keyOf(closing));
        this.#closeOne(closing);
      }
      if (this.#queue.length > 0) this.#schedule();
      else if (this.#hasOverflown) {
        this.#hasOverflown = false;
        this.#onOverflow();
      }
    });
  }

  #closeOne({ namespace, token, fourTuple, onClosed, onRefused }: CloseRequest): void {
    if (!namespace.isOpen) return;
    const close = (isMapped: boolean) =>
      destroySubflow(namespace.generic, this.#family, token, fourTuple, isMapped);
    try {
      let isClosed = close(this.#isMapped);
      if (!isClosed && !fourTuple.local.address.includes(':')) {
        isClosed = close(!this.#isMapped);
        if (isClosed) this.#isMapped = !this.#isMapped;
      }
      if (isClosed) onClosed();
    } catch (error) {
      // The connection closed meanwhile, or the in-kernel path manager manages it. That one has its own limit.
      if (error instanceof NetlinkError && error.code === 'EINVAL') onRefused();
    }
  }
}

function keyOf({ token, fourTuple }: Pick<CloseRequest, 'token' | 'fourTuple'>): string {
  return `${token} ${subflowKey(fourTuple)}`;
}
