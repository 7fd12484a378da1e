import { NetlinkError } from '../../src/backend/netlink/netlink-error.js';
import { RequestSocket } from '../../src/backend/netlink/socket.js';
import type { NativeNetlinkSocket } from '../../src/native/addon.js';

/** A datagram, or the code of the error that takes its place. */
export type Datagram = Buffer | { readonly code: string };

/**
 * A fake kernel with given answers: a real one does not send broken, lost or foreign messages on request. Answers get the
 * sequence number of the request, as from a real kernel.
 */
export class ScriptedKernel {
  opened = 0;
  closed = 0;
  /** The first bytes of each request. */
  readonly requests: Buffer[] = [];
  readonly #scripts: (readonly Datagram[])[];

  constructor(...scripts: (readonly Datagram[])[]) {
    this.#scripts = scripts;
  }

  socket(): RequestSocket {
    return new RequestSocket(() => this.#open());
  }

  #open(): NativeNetlinkSocket {
    this.opened++;
    let waiting: Datagram[] = [];
    return {
      join: () => undefined,
      onReadable: () => undefined,
      close: () => this.closed++,
      send: (bytes) => {
        const request = Buffer.from(bytes);
        this.requests.push(request);
        const script = this.#scripts.shift() ?? [];
        waiting = script.map((one) => (one instanceof Buffer ? numbered(one, request.readUInt32LE(8)) : one));
      },
      receive: (out) => receiveNext(waiting, out),
    };
  }
}

/** Sets the sequence number of every complete message in a datagram. */
export function numbered(datagram: Buffer, sequence: number): Buffer {
  const copy = Buffer.from(datagram);
  for (let at = 0; at + 16 <= copy.length;) {
    copy.writeUInt32LE(sequence, at + 8);
    const length = copy.readUInt32LE(at);
    // a broken message may have any number
    if (length < 16 || length > copy.length - at) break;
    at += (length + 3) & ~3;
  }
  return copy;
}

/** The datagrams of an answer in {@link file://./netlink-messages.ts}. */
export function answer(base64: readonly string[]): Buffer[] {
  return base64.map((one) => Buffer.from(one, 'base64'));
}

/** An error message of the kernel: the errno and the header of the request. */
export function refusal(errno: number): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.writeUInt32LE(36, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeInt32LE(-errno, 16);
  return bytes;
}

/** The code of the NetlinkError that `act` throws; undefined if it throws none. */
export function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return error.code;
  }
}

/**
 * Receives as a netlink socket does: takes the next datagram, copies it and returns its length; undefined if there is none.
 * @throws an error of the system with the code of an entry that is not a datagram.
 */
export function receiveNext(
  waiting: (Buffer | { readonly code: string })[],
  out: Uint8Array,
): number | undefined {
  const next = waiting.shift();
  if (next === undefined) return undefined;
  if (!(next instanceof Buffer)) throw Object.assign(new Error('lost'), next);
  next.copy(out);
  return next.length;
}
