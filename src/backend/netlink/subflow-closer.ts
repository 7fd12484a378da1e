import { destroySubflow, type FourTuple } from './path-manager.js';
import type { Family } from './family.js';
import type { NetworkNamespace } from './namespace.js';
import { NetlinkError } from './netlink-error.js';
import { subflowKey } from './tracked-servers.js';

/** What is needed of a network namespace to close subflows in it. */
export type LimitedNamespace = Pick<NetworkNamespace, 'generic' | 'isOpen' | 'servers'>;

/** A subflow to close. */
export interface CloseRequest {
  readonly namespace: LimitedNamespace;
  readonly token: number;
  readonly ends: FourTuple;
  /** It was closed. */
  readonly onClosed: () => void;
  /** The kernel refuses to close any subflow of this connection. */
  readonly onRefused: () => void;
}

/** Closed in one go, some milliseconds' work; others have a turn of the event loop in between. */
const REQUESTS_PER_TURN = 64;
/** Subflows that wait to be closed at most. */
export const MAX_QUEUED = 4_096;

/** Closes subflows one after another, without keeping anybody waiting. */
export class SubflowCloser {
  readonly #family: Family;
  readonly #onOverflow: () => void;
  #queue: CloseRequest[] = [];
  /** Of those that wait: a look shows them again, and each would be asked for twice. */
  readonly #queuedKeys = new Set<string>();
  #turn: NodeJS.Immediate | undefined;
  #hasOverflown = false;
  /** Whether IPv4 subflows were last found as IPv6 ones: which a server has is tried first. */
  #isMapped = false;

  /** @param onOverflow more were to be closed than there was room for, and there is room again. */
  constructor(family: Family, onOverflow: () => void) {
    this.#family = family;
    this.#onOverflow = onOverflow;
  }

  /** False if there is no room. */
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

  #closeOne({ namespace, token, ends, onClosed, onRefused }: CloseRequest): void {
    if (!namespace.isOpen) return;
    const close = (isMapped: boolean) =>
      destroySubflow(namespace.generic, this.#family, token, ends, isMapped);
    try {
      let isClosed = close(this.#isMapped);
      if (!isClosed && !ends.local.address.includes(':')) {
        isClosed = close(!this.#isMapped);
        if (isClosed) this.#isMapped = !this.#isMapped;
      }
      if (isClosed) onClosed();
    } catch (error) {
      // the connection closed meanwhile, or it is in the kernel's hands, which limits it itself
      if (error instanceof NetlinkError && error.code === 'EINVAL') onRefused();
    }
  }
}

function keyOf({ token, ends }: CloseRequest): string {
  return `${token} ${subflowKey(ends)}`;
}
