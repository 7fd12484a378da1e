import { getSystemErrorName } from 'node:util';
import type { NativeNetlinkSocket } from '../../native/addon.js';
import { KernelError } from '../../model/kernel-error.js';
import { malformed, MessageWriter, readAttributes, readMessages, type Message } from './message.js';
import { NetlinkError, Refusal } from './netlink-error.js';

// include/uapi/linux/netlink.h
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const HEADER = 16;

/** The kernel fills datagrams of a dump up to 32 KiB (af_netlink.c, netlink_dump). */
const DATAGRAM = 65_536;
/** Writes the payload of a request, which follows the header of the message. */
export type WritePayload = (request: MessageWriter) => void;

/**
 * Most requests in one datagram. The kernel answers all of them before the system call returns, and the answers must fit into
 * the buffer of the socket (net.core.rmem_default, 208 KiB). The longest, about a socket, takes less than 3 KiB there.
 */
const MAX_PIPELINED = 64;

/** How often a dump is started, if the kernel reports that its sockets changed meanwhile (NLM_F_DUMP_INTR). */
const ATTEMPTS = 5;

/**
 * Sends requests to the kernel one after another, and reads the answers. The kernel answers before the system call of the
 * request returns, so this never waits. A function that reads an answer must not keep its bytes: the next answer overwrites
 * them. After any error but a {@link Refusal} the socket is closed, because answers could still arrive. The next request
 * opens another.
 */
export class RequestSocket {
  readonly #open: () => NativeNetlinkSocket;
  #native: NativeNetlinkSocket | undefined;
  #sequence = 0;
  readonly #buffer = Buffer.alloc(DATAGRAM);
  readonly #writer = new MessageWriter();

  constructor(open: () => NativeNetlinkSocket) {
    this.#open = open;
  }

  /** Requests one object. @throws {NetlinkError} with the kernel's error as its code, and with its reason if it gives one. */
  get<T>(type: number, write: WritePayload, read: (message: Message) => T): T {
    const [answer] = this.#request(type, 0, write, read);
    if (answer === undefined) throw malformed('answer');
    return answer;
  }

  /**
   * Sends a command without asking for an acknowledgement: if there is no error when the system call returns, the command is
   * done. An acknowledgement would add a twentieth to the time. @throws {NetlinkError}
   */
  command(type: number, write: WritePayload): void {
    this.#request(type, 0, write);
  }

  /**
   * Sends several commands in few datagrams, as {@link command} sends one.
   * @param write writes the payload of the command with this index.
   * @returns for each command the kernel's refusal; undefined if it was carried out. @throws {NetlinkError}
   */
  commands(
    type: number,
    count: number,
    write: (request: MessageWriter, index: number) => void,
  ): (Refusal | undefined)[] {
    return this.#pipeline<undefined>(type, count, write);
  }

  /**
   * Requests several objects in few datagrams, as {@link get} requests one.
   * @param write writes the payload of the request with this index.
   * @returns for each request the object, or the kernel's refusal. @throws {NetlinkError}
   */
  getMany<T>(
    type: number,
    count: number,
    write: (request: MessageWriter, index: number) => void,
    read: (message: Message) => T,
  ): (T | Refusal)[] {
    return this.#pipeline(type, count, write, read).map((answer) => {
      if (answer === undefined) throw malformed('answer');
      return answer;
    });
  }

  /** Requests all objects of a kind. @throws {NetlinkError} */
  dump<T>(type: number, write: WritePayload, read: (message: Message) => T): T[] {
    for (let attempt = 1; ; attempt++) {
      let flags = 0;
      const answers = this.#request(type, NLM_F_DUMP, write, (message) => {
        flags |= message.flags;
        return read(message);
      });
      if (attempt === ATTEMPTS || (flags & NLM_F_DUMP_INTR) === 0) return answers;
    }
  }

  close(): void {
    this.#native?.close();
    this.#native = undefined;
  }

  #request<T>(type: number, flags: number, write: WritePayload, read?: (message: Message) => T): T[] {
    const sequence = this.#nextSequence();
    return this.#exchange((native, request) => {
      request.begin(type, NLM_F_REQUEST | flags, sequence);
      write(request);
      native.send(request.end());
      return this.#answers(native, sequence, flags, read);
    });
  }

  #pipeline<T>(
    type: number,
    count: number,
    write: (request: MessageWriter, index: number) => void,
    read?: (message: Message) => T,
  ): (T | Refusal | undefined)[] {
    const answers = new Array<T | Refusal | undefined>(count).fill(undefined);
    for (let first = 0; first < count; first += MAX_PIPELINED) {
      const end = Math.min(count, first + MAX_PIPELINED);
      /** By sequence number: the index of the request. */
      const sent = new Map<number, number>();
      this.#exchange((native, request) => {
        for (let index = first; index < end; index++) {
          const sequence = this.#nextSequence();
          sent.set(sequence, index);
          if (index === first) request.begin(type, NLM_F_REQUEST, sequence);
          else request.append(type, NLM_F_REQUEST, sequence);
          write(request, index);
        }
        native.send(request.end());
        for (const message of this.#waiting(native)) {
          const index = sent.get(message.sequence);
          if (index === undefined) continue;
          if (message.type === NLMSG_ERROR) answers[index] = refusalOf(message);
          else if (read) answers[index] = read(message);
        }
      });
    }
    return answers;
  }

  /** All messages that the kernel has sent until now. */
  *#waiting(native: NativeNetlinkSocket): Generator<Message> {
    for (;;) {
      const length = native.receive(this.#buffer);
      if (length === undefined) return;
      if (length > DATAGRAM) throw malformed('datagram');
      yield* readMessages(this.#buffer.subarray(0, length));
    }
  }

  #nextSequence(): number {
    return (this.#sequence = (this.#sequence + 1) >>> 0);
  }

  /** Does something with the open socket. Closes it after an error that is no {@link Refusal}. @throws {NetlinkError} */
  #exchange<T>(work: (native: NativeNetlinkSocket, request: MessageWriter) => T): T {
    try {
      return work((this.#native ??= this.#open()), this.#writer);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      this.close();
      if (error instanceof NetlinkError || error instanceof KernelError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw new NetlinkError(code ?? 'EIO', message, { cause: error });
    }
  }

  #answers<T>(
    native: NativeNetlinkSocket,
    sequence: number,
    flags: number,
    read: ((message: Message) => T) | undefined,
  ): T[] {
    const answers: T[] = [];
    for (;;) {
      const length = native.receive(this.#buffer);
      if (length === undefined && read === undefined) return answers;
      if (length === undefined) throw new NetlinkError('EAGAIN', 'the kernel gave no answer');
      if (length > DATAGRAM) throw malformed('datagram');
      for (const message of readMessages(this.#buffer.subarray(0, length))) {
        if (message.sequence !== sequence) continue;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          throwIfRefused(message);
          return answers;
        }
        if (read) answers.push(read(message));
        if (flags === 0) return answers;
      }
    }
  }
}

/** Checks the last message of an answer. @throws {NetlinkError} if it has an error. */
function throwIfRefused(message: Message): void {
  const refusal = refusalOf(message);
  if (refusal) throw refusal;
}

/** The error in the last message of an answer; undefined if it has none. @throws {NetlinkError} if the message is incomplete. */
function refusalOf({ type, flags, payload }: Message): Refusal | undefined {
  if (type === NLMSG_DONE && payload.length < 4) return undefined;
  if (payload.length < 4) throw malformed('error');
  const errno = payload.readInt32LE(0);
  if (errno >= 0) return undefined;
  return new Refusal(getSystemErrorName(errno), `the kernel refused: ${reason(type, flags, payload)}`);
}

/** The kernel's reason. It follows the error and a copy of the request or of its header. */
function reason(type: number, flags: number, payload: Buffer): string {
  const silent = 'it gives no reason';
  if (type !== NLMSG_ERROR || (flags & NLM_F_ACK_TLVS) === 0 || payload.length < 4 + HEADER) return silent;
  const request = (flags & NLM_F_CAPPED) === 0 ? payload.readUInt32LE(4) : HEADER;
  const text = readAttributes(payload, 4 + ((request + 3) & ~3)).get(NLMSGERR_ATTR_MSG);
  return text?.toString('latin1').replace(/\0.*$/s, '') ?? silent;
}
