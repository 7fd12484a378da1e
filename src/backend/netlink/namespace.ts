import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import type { Connection } from '../../model/connection.js';
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
 * A network namespace that servers run in, with sockets for requests and for events. While it is open, the kernel does not
 * remove the namespace.
 */
export class NetworkNamespace {
  readonly diag: RequestSocket;
  readonly generic: RequestSocket;
  /** The servers in this namespace. */
  readonly servers = new TrackedServers();
  readonly #inode: number;
  /** Undefined for our own namespace. */
  readonly #fd: number | undefined;
  #events: EventSocket | undefined;
  /** Tokens of the connections that existed when we began to listen. */
  #tokensBeforeListening = new Set<number>();
  #isOpen = true;

  private constructor(fd: number, inode: number) {
    this.#inode = inode;
    const isOwn = inode === statSync('/proc/self/ns/net').ino;
    if (isOwn) closeSync(fd);
    this.#fd = isOwn ? undefined : fd;
    this.diag = new RequestSocket(() => this.#socket(NETLINK_SOCK_DIAG));
    this.generic = new RequestSocket(() => this.#socket(NETLINK_GENERIC));
  }

  /**
   * Opens the network namespace of a process.
   * @throws {Error} ENOENT if the process is gone; EACCES without the right to read it.
   */
  static openFor(pid: number | 'self'): NetworkNamespace {
    const fd = openSync(`/proc/${pid}/ns/net`, 'r');
    return new NetworkNamespace(fd, fstatSync(fd).ino);
  }

  /** Whether a process is in it; false if this cannot be read. */
  contains(pid: number): boolean {
    try {
      return statSync(`/proc/${pid}/ns/net`).ino === this.#inode;
    } catch {
      // The process is gone (EACCES while it exits), or we do not have the right to read it.
      return false;
    }
  }

  /**
   * Passes the events of this namespace to the sink from now on.
   * @param wasListening whether somebody has listened without a break before.
   * @throws {Error} EPERM without the capabilities.
   */
  listen({ events }: Family, sink: EventSink, wasListening: boolean): void {
    if (!wasListening)
      this.#tokensBeforeListening = new Set(metaSockets(this.diag).map(({ token }) => token));
    const native = this.#socket(NETLINK_GENERIC);
    try {
      this.#events = new EventSocket(native, events, sink);
    } catch (error) {
      native.close();
      throw error;
    }
  }

  /**
   * Whether a connection may have existed before we began to listen, and has not got a second subflow since it was first
   * observed. The kernel accepts joins of a connection with a second subflow, although it existed before.
   */
  mayRefuseJoins({ token, subflows }: Connection): boolean {
    if (subflows.length > 1) this.#tokensBeforeListening.delete(token);
    return this.#tokensBeforeListening.has(token);
  }

  /** False after {@link close}. */
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
