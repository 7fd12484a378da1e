import type { Announcement } from '../../model/announcement.js';
import { announceAddress } from './announce-address.js';
import type { Family } from './family.js';
import { NetlinkError } from './netlink-error.js';
import { isUserspacePm } from './path-manager.js';
import type { RequestSocket } from './socket.js';

/** The address IDs that are used, from the highest down: the kernel itself gives the lowest free ones to other addresses. */
const HIGHEST_ID = 255;
/** The most IDs that are tried for one address. */
export const MAX_ID_TRIES = 16;

const IN_KERNEL =
  'the in-kernel path manager manages the connection, because it began under net.mptcp.pm_type = 0; set that to 1 and let ' +
  'it reconnect, or let the kernel announce: ip mptcp endpoint add ADDRESS signal';

/** What became of the announcement of one address: undefined, or why it failed. */
type Outcome = string | undefined;

/**
 * Announces addresses of servers to clients: under net.mptcp.pm_type = 1 the kernel announces none. What was announced is
 * remembered as long as it is wanted, which is until a subflow uses the address. So an address is announced again after its
 * last subflow was lost, and after a restart.
 */
export class Announcer {
  readonly #family: Family;
  readonly #genericOf: (pid: number) => RequestSocket;
  /** By connection and then by address. */
  #done: ReadonlyMap<string, ReadonlyMap<string, Outcome>> = new Map();

  /** @param genericOf the socket for requests in the network namespace of a process; it can throw. */
  constructor(family: Family, genericOf: (pid: number) => RequestSocket) {
    this.#family = family;
    this.#genericOf = genericOf;
  }

  /** See {@link Backend.announce}. */
  announce(announcements: readonly Announcement[]): readonly string[] {
    const before = this.#done;
    const now = new Map<string, ReadonlyMap<string, Outcome>>();
    for (const announcement of announcements) {
      const key = `${announcement.pid} ${announcement.token}`;
      const known = before.get(key);
      const isDone =
        known?.size === announcement.addresses.length &&
        announcement.addresses.every((address) => known.has(address));
      now.set(key, known && isDone ? known : this.#announceNew(announcement, known));
    }
    this.#done = now;
    // A failure is reported in the round after it: a connection that closed meanwhile is no longer wanted then.
    return problemsOf(announcements, before);
  }

  #announceNew(
    { pid, token, addresses }: Announcement,
    known: ReadonlyMap<string, Outcome> = new Map(),
  ): ReadonlyMap<string, Outcome> {
    const outcomes = new Map<string, Outcome>();
    for (const address of addresses) {
      outcomes.set(address, known.has(address) ? known.get(address) : this.#announceOne(pid, token, address));
    }
    return outcomes;
  }

  #announceOne(pid: number, token: number, address: string): Outcome {
    try {
      const generic = this.#genericOf(pid);
      for (let tries = 0; tries < MAX_ID_TRIES; tries++) {
        if (this.#hasAnnounced(generic, token, address, HIGHEST_ID - tries)) return undefined;
        if (tries === 0 && !isUserspacePm(generic, this.#family, token)) return IN_KERNEL;
      }
      // The connection has this address under an ID that the kernel chose: the client has a subflow there already.
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** @returns false if another address has this ID, or if the kernel does not let userspace announce on the connection. */
  #hasAnnounced(generic: RequestSocket, token: number, address: string, id: number): boolean {
    try {
      announceAddress(generic, this.#family, token, address, id);
      return true;
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'EINVAL') return false;
      throw error;
    }
  }
}

/** One sentence for each process, address and reason. */
function problemsOf(
  announcements: readonly Announcement[],
  done: ReadonlyMap<string, ReadonlyMap<string, Outcome>>,
): string[] {
  const problems = new Set<string>();
  for (const { pid, token, addresses } of announcements) {
    const outcomes = done.get(`${pid} ${token}`);
    for (const address of addresses) {
      const reason = outcomes?.get(address);
      if (reason !== undefined) problems.add(`process ${pid}: ${address} is not announced: ${reason}`);
    }
  }
  return [...problems];
}
