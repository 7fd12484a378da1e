import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { loadAddon, type NativeNetlinkSocket } from '../../native/addon.js';
import { metaSockets } from './diag.js';
import { EventSocket, type EventSink } from './events.js';
import type { Family } from './family.js';
import { TrackedServers } from './tracked-servers.js';
import { RequestSocket } from './socket.js';

// include/uapi/linux/netlink.h
const NETLINK_SOCK_DIAG = 4;
const NETLINK_GENERIC = 16;

/**
 * A network namespace that servers run in: what is asked of its kernel, and what is heard of it. It stays in being as
 * long as this is open.
 */
export class NetworkNamespace {
  readonly diag: RequestSocket;
  readonly generic: RequestSocket;
  /** Those that are in it. */
  readonly servers = new TrackedServers();
  readonly #inode: number;
  /** Absent for our own namespace. */
  readonly #fd: number | undefined;
  #events: EventSocket | undefined;
  /** Tokens of the connections that were there before somebody listened. */
  #tokensBeforeListening: ReadonlySet<number> = new Set();
  #isOpen = true;

  private constructor(fd: number, inode: number) {
    this.#inode = inode;
    const isOwn = inode === statSync('/proc/self/ns/net').ino;
    if (isOwn) closeSync(fd);
    this.#fd = isOwn ? undefined : fd;
    this.diag = new RequestSocket(() => this.#socket(NETLINK_SOCK_DIAG));
    this.generic = new RequestSocket(() => this.#socket(NETLINK_GENERIC));
  }

  /** The one that a process is in. @throws {Error} ENOENT if it is gone; EACCES if it is not ours to look at. */
  static openFor(pid: number | 'self'): NetworkNamespace {
    const fd = openSync(`/proc/${pid}/ns/net`, 'r');
    return new NetworkNamespace(fd, fstatSync(fd).ino);
  }

  /** Whether a process is in it, as far as we may know. */
  contains(pid: number): boolean {
    try {
      return statSync(`/proc/${pid}/ns/net`).ino === this.#inode;
    } catch {
      // it is gone, which the kernel calls EACCES where it goes just now, or kept from us
      return false;
    }
  }

  /** From now on, calls back when something happens in it. @throws {Error} EPERM without the capabilities. */
  listen({ events }: Family, sink: EventSink): void {
    this.#tokensBeforeListening = new Set(metaSockets(this.diag).map(({ token }) => token));
    const native = this.#socket(NETLINK_GENERIC);
    try {
      this.#events = new EventSocket(native, events, sink);
    } catch (error) {
      native.close();
      throw error;
    }
  }

  /** Whether a connection may be older than our listening. */
  mayPredateListening(token: number): boolean {
    return this.#tokensBeforeListening.has(token);
  }

  /** False once it was closed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  close(): void {
    this.#isOpen = false;
    this.#events?.close();
    this.diag.close();
    this.generic.close();
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #socket(protocol: number): NativeNetlinkSocket {
    const { NetlinkSocket } = loadAddon();
    return new NetlinkSocket(protocol, this.#fd);
  }
}
