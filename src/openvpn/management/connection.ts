import { connect, type Socket } from 'node:net';
import { reasonOf } from '../../util/errno.js';
import { unixPeer } from '../../native/unix-peer.js';
import { LineSplitter, TooLongError } from '../../util/lines.js';
import { readPasswordFile } from '../../util/password-file.js';
import { watchListener, type ManagementTarget } from './listener.js';
import { describeConnectError, quote } from './management-text.js';

/** Longest line that OpenVPN may send, in bytes without the line end. */
export const MAX_LINE_BYTES = 64 * 1024;

/** Milliseconds that OpenVPN has to handle the last commands. If it is later, it can lose some. */
const FINISH_MS = 1_000;

const PROMPT = 'ENTER PASSWORD:';

/** Options of {@link ManagementConnection}. */
export interface ConnectionOptions {
  readonly target: ManagementTarget;
  /** A user, by name or number, who may listen there besides root and the user of this process. */
  readonly user: string | undefined;
  /** The first line of this file is the password. It is read when OpenVPN asks for it. */
  readonly passwordFile: string | undefined;
  /** Milliseconds until OpenVPN must have greeted. */
  readonly greetingMs: number;
}

/** Receives what happens on a {@link ManagementConnection}. */
export interface ConnectionListener {
  /** One line without its end, and without a password prompt before it. */
  readonly onLine: (line: string) => void;
  /** The connection cannot be used any more. The listener closes it. */
  readonly onFailure: (reason: string) => void;
  /** OpenVPN closed the connection, perhaps in the middle of a line. The listener closes it, too. */
  readonly onHangUp: (hasUnfinishedLine: boolean) => void;
}

/**
 * One connection to a management interface. It checks who listens there before it sends anything, answers the password
 * prompt, and splits what it receives into lines. The owner calls {@link greeted} when it has read OpenVPN's greeting.
 */
export class ManagementConnection {
  readonly #socket: Socket;
  readonly #lines = new LineSplitter(MAX_LINE_BYTES);
  readonly #greetingTimer: NodeJS.Timeout;
  #isGreeted = false;
  #isClosed = false;
  #listenerPid: number | undefined;
  /** The password that was sent. The peer can send it back, and no message may contain it. */
  #password: string | undefined;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly listener: ConnectionListener,
  ) {
    const { target, user, greetingMs } = options;
    const socket =
      'socket' in target
        ? connect({ path: target.socket })
        : connect({ host: target.host, port: target.port, noDelay: true });
    this.#socket = socket;
    const checkListener = watchListener(socket, target, user);
    socket.on('connect', () => {
      const reason = checkListener();
      if (reason !== undefined) listener.onFailure(reason);
      else if ('socket' in target) this.#listenerPid = listenerOf(socket);
    });
    socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    socket.on('error', (error) => {
      listener.onFailure(describeConnectError(error));
    });
    socket.on('close', () => {
      listener.onHangUp(this.#lines.rest !== '');
    });
    this.#greetingTimer = setTimeout(() => {
      listener.onFailure(
        'OpenVPN does not greet: probably another management client is connected (OpenVPN serves one at a time), ' +
          'or OpenVPN waits for a script; to fix it: end the other client',
      );
    }, greetingMs);
  }

  /** The PID on this host of the process that listens; undefined on TCP, and if the process is in no PID namespace of ours. */
  get listenerPid(): number | undefined {
    return this.#listenerPid;
  }

  /** OpenVPN has greeted: it needs no password any more, and no time limit. */
  greeted(): void {
    clearTimeout(this.#greetingTimer);
    this.#isGreeted = true;
  }

  /** Sends text. Does nothing if the connection is closed. */
  write(text: string): void {
    if (!this.#isClosed) this.#socket.write(text);
  }

  /**
   * Sends the last text, and closes the connection when OpenVPN has handled it. The listener receives nothing more. OpenVPN
   * answers each command at once while it waits for `hold release`. If it cannot send the answer, it drops the commands after
   * it (`man_reset_client_socket`). So the connection must not be closed before.
   * @returns resolves when the connection is closed, at the latest after {@link FINISH_MS}.
   */
  finish(text: string): Promise<void> {
    this.write(text);
    this.#isClosed = true;
    clearTimeout(this.#greetingTimer);
    for (const event of ['connect', 'data', 'error', 'close']) this.#socket.removeAllListeners(event);
    this.#socket.on('error', () => undefined);
    this.#lines.clear();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#socket.destroy();
      }, FINISH_MS);
      this.#socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
      // answers are not needed, but OpenVPN must be able to send them
      this.#socket.resume();
      this.#socket.end();
    });
  }

  /** Closes the connection. The listener receives nothing more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#greetingTimer);
    this.#socket.removeAllListeners();
    // ignore a reset that arrives after the close
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
    this.#lines.clear();
  }

  /** Text from the peer for a message, as JSON and shortened. Text that contains the password is not shown. */
  quote(text: string): string {
    const password = this.#password ?? '';
    if (password !== '' && text.includes(password)) return 'text that contains the password';
    return quote(text);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        this.listener.onLine(line.startsWith(PROMPT) ? line.slice(PROMPT.length) : line);
        if (this.#isClosed) return;
      }
    } catch (error) {
      // a fault in the handling of this server's text must not stop the other servers
      this.listener.onFailure(
        error instanceof TooLongError
          ? `it sent ${error.message}: it is not a management interface of OpenVPN`
          : `subflowd cannot handle what it sent (a fault of subflowd; please report it): ${(error as Error).message}`,
      );
      return;
    }
    if (!this.#isGreeted && this.#lines.rest === PROMPT) this.#enterPassword();
  }

  #enterPassword(): void {
    // no line end follows the prompt, so the next text begins a line
    this.#lines.clear();
    const file = this.options.passwordFile;
    if (this.#password !== undefined) {
      this.listener.onFailure(`it refuses the password in ${file ?? 'the password file'}`);
    } else if (file === undefined) {
      this.listener.onFailure(
        'it asks for a password; to fix it: set `password-file =` in the [openvpn] section of subflowd.ini',
      );
    } else {
      let password: string;
      try {
        password = readPasswordFile(file);
      } catch (error) {
        this.listener.onFailure(`it asks for a password: ${reasonOf(error)}`);
        return;
      }
      this.#password = password;
      this.write(`${password}\n`);
    }
  }
}

/** The PID of the process that listens; undefined if it is in no PID namespace of ours, and so has no PID here. */
function listenerOf(socket: Socket): number | undefined {
  const { pid = 0 } = unixPeer(socket) ?? {};
  return pid === 0 ? undefined : pid;
}
