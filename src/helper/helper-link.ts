import { connect, type Socket } from 'node:net';
import { HELPER_SOCKET } from '../model/helper-socket.js';
import { KernelError, NoProcessError } from '../model/kernel-error.js';
import type { ExcessSubflows } from '../model/subflow-limits.js';
import { unixPeer } from '../native/unix-peer.js';
import { userNumber } from '../util/accounts.js';
import { readMembers, type Members } from './fields.js';
import { BadMessageError, encodeFrame, FrameReader } from './frames.js';
import { BOUNDS, type Request } from './messages.js';
import { readEvent, readFailure } from './read-reply.js';

/** Milliseconds in which the helper must send something while an answer is due. Then the link ends. */
export const ANSWER_MS = 5_000;
/** The same for the answer to `open`: the helper may have to read the kernel's whole description of its structures. */
const OPEN_MS = 60_000;

/** The user of openvpn-conf/subflowd-helper.service. */
const HELPER_USER = 'subflowd-helper';

/** Receives what happens on a {@link HelperLink}. */
export interface LinkListener {
  readonly onChange: () => void;
  readonly onExcess: (excess: ExcessSubflows) => void;
  /** The link has ended; every request that was not answered has failed. Called once. */
  readonly onEnd: (reason: string) => void;
}

/** A request that waits for its answer. */
interface Pending {
  readonly id: number;
  readonly answerMs: number;
  readonly onPart: (members: Members) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A connection to the helper. Nothing that the helper sends does more than to end it. */
export class HelperLink {
  readonly #frames = new FrameReader(BOUNDS.replyBytes);
  readonly #pending: Pending[] = [];
  #lastId = 0;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  private constructor(
    private readonly socket: Socket,
    private readonly listener: LinkListener,
    private readonly answerMs: number,
  ) {
    socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    socket.on('error', ({ message }) => {
      this.end(message);
    });
    socket.on('close', () => {
      this.end('it closed the connection');
    });
  }

  /**
   * Connects to the helper, and checks that root, the helper's user or the user of this process serves it.
   * @throws {KernelError} if nobody serves the socket, or somebody else does.
   */
  static async open(path: string, listener: LinkListener, answerMs = ANSWER_MS): Promise<HelperLink> {
    const socket = connect({ path });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve).once('error', reject);
      });
      const peer = unixPeer(socket);
      const trusted = [0, process.geteuid?.(), userNumber(HELPER_USER)];
      if (peer !== undefined && !trusted.includes(peer.uid))
        throw new Error(`user ${peer.uid} (process ${peer.pid}) serves it, and not root or ${HELPER_USER}`);
    } catch (error) {
      socket.destroy();
      throw unreachable(path, error);
    }
    return new HelperLink(socket.removeAllListeners(), listener, answerMs);
  }

  /**
   * Sends a request.
   * @param onPart called with each part of the answer; what it throws ends the link.
   * @returns resolves after the last part. @throws {KernelError} if the helper's backend fails, or if the link ends.
   */
  request(
    message: Readonly<Record<string, unknown>> & { readonly do: Request['do'] },
    onPart: (members: Members) => void = () => undefined,
  ): Promise<void> {
    if (this.#hasEnded) return Promise.reject(notConnected('the link has ended'));
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const answerMs = message.do === 'open' ? OPEN_MS : this.answerMs;
      this.#pending.push({ id, answerMs, onPart, resolve, reject });
      this.socket.write(encodeFrame({ id, ...message }));
      if (this.#timer === undefined) this.#restartTimer();
    });
  }

  /** Ends the link. Does nothing if it has ended. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.socket.destroy();
    for (const { reject } of this.#pending.splice(0)) reject(notConnected(reason));
    this.listener.onEnd(reason);
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [first] = this.#pending;
    if (first === undefined) return;
    this.#timer = setTimeout(() => {
      this.end(`it has not answered for ${first.answerMs / 1000} s`);
    }, first.answerMs);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#frames.push(chunk)) {
        this.#handle(readMembers(message, 'message'));
        if (this.#hasEnded) return;
      }
    } catch (error) {
      const { message } = error as Error;
      this.end(error instanceof BadMessageError ? `it broke a rule: ${message}` : message);
    }
  }

  #handle(members: Members): void {
    const event = readEvent(members);
    if (event === 'change') this.listener.onChange();
    else if (event !== undefined) this.listener.onExcess(event);
    if (event !== undefined) return;
    const [first] = this.#pending;
    if (first === undefined || members.id !== first.id)
      throw new BadMessageError('a message answers no request');
    if (members.error !== undefined) {
      const { step, message, remedy, gone } = readFailure(members.error);
      this.#pending.shift();
      first.reject(gone === undefined ? new KernelError(step, message, remedy) : new NoProcessError(gone));
    } else {
      first.onPart(members);
      if (members.more !== true) {
        this.#pending.shift();
        first.resolve();
      }
    }
    this.#restartTimer();
  }
}

/** Why nothing can be asked now. */
export function notConnected(reason: string): KernelError {
  return new KernelError(
    'helper',
    `subflowd's helper is not connected: ${reason}; every client stays as it is`,
    'systemctl status subflowd-helper',
  );
}

function unreachable(path: string, error: unknown): KernelError {
  const { message } = error as Error;
  const remedy =
    path === HELPER_SOCKET
      ? 'install openvpn-conf/subflowd-helper.socket and subflowd-helper.service (docs/privileges.md, Upgrade), then ' +
        'systemctl enable --now subflowd-helper.socket; where there is no systemd: subflowd run --single, as root'
      : `subflowd helper --socket ${path}, as root; or without a helper: subflowd run --single`;
  return new KernelError('helper', `no helper at ${path}: ${message}`, remedy, { cause: error });
}
