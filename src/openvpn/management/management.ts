import { EventEmitter } from 'node:events';
import { Backoff } from '../../util/backoff.js';
import { Problems } from '../../util/problems.js';
import { readClientMessage } from './client-messages.js';
import { ManagementConnection } from './connection.js';
import { Exchanges, type ReplyHandler, type Request } from './exchanges.js';
import type { ManagementTarget } from './listener.js';
import { describeTarget, quote } from './management-text.js';
import type { ManagementMap, ManagementOptions } from './management-types.js';
import { MessageReader, splitMessage } from './message-reader.js';
import { Retry } from './retry.js';
import { WaitProblems, waitEndedBy, type WaitReason } from './wait-problems.js';

/** Default of {@link ManagementOptions.greetingMs}. */
export const GREETING_MS = 5_000;
/** Default of {@link ManagementOptions.answerMs}. Long, because OpenVPN answers nothing while it runs a script. */
export const ANSWER_MS = 30_000;
/** After a connection that lasted this many milliseconds, the back-off starts again from its shortest pause. */
const STEADY_MS = 5_000;
/** Shortest time between two attempts to connect that {@link Management.retryNow} causes, milliseconds. */
const MIN_RETRY_MS = 250;

/**
 * A client of OpenVPN's management interface (doc/management-notes.txt of OpenVPN). By itself it only sends `version`, `pid`
 * and `status`, which change nothing. It stays connected, and connects again if the connection ends.
 *
 * It sends nothing to a peer that may not be OpenVPN ({@link ManagementConnection}). It does not trust OpenVPN either: lines
 * and answers have a maximum length, and a peer that breaks the protocol is disconnected.
 */
export class Management extends EventEmitter<ManagementMap> {
  readonly #target: ManagementTarget;
  readonly #options: ManagementOptions;
  readonly #retry: Retry;
  readonly #exchanges: Exchanges;
  readonly #messages = new MessageReader();
  readonly #waits: WaitProblems;
  readonly #problems = new Problems({
    onProblem: (text, key) => this.emit('problem', text, key),
    onResolved: (key) => this.emit('resolved', key),
  });
  /** The last connection. It may be closed. */
  #connection: ManagementConnection | undefined;
  #phase: 'stopped' | 'waiting' | 'greeting' | 'asking' | 'ready' = 'stopped';
  #connectedAt = 0;
  #lastTry = 0;
  #lastProblem: string | undefined;
  #greeting: string | undefined;
  #version = '';
  #isStatusRequested = false;
  #closed = Promise.resolve();
  /** Whether a console client ends waits of this kind. If none does, such a wait is a problem. */
  isHandled: (reason: WaitReason) => boolean = () => false;
  /** The lines to send before {@link stop} closes the connection. They undo settings that nobody needs any more. */
  finalCommands: () => readonly string[] = () => [];

  constructor(target: ManagementTarget, options: ManagementOptions = {}) {
    super();
    this.#target = target;
    this.#options = options;
    this.#retry = new Retry(target, options.backoff ?? new Backoff(), () => {
      this.#connect();
    });
    this.#exchanges = new Exchanges({
      send: (text) => this.#connection?.write(text),
      onBroken: (reason) => {
        this.#fail(reason);
      },
      answerMs: options.answerMs ?? ANSWER_MS,
    });
    this.#waits = new WaitProblems(this.name, this.#problems, {
      isHandled: (reason) => this.isHandled(reason),
      quote: (text) => this.#quote(text),
      report: (key, text) => {
        this.#report(key, text);
      },
    });
  }

  get isReady(): boolean {
    return this.#phase === 'ready';
  }

  /** Why there is no connection; undefined while there is one. */
  get problem(): string | undefined {
    return this.isReady ? undefined : this.#lastProblem;
  }

  /** The address, as in subflowd.ini. */
  get name(): string {
    return describeTarget(this.#target);
  }

  /** Resolves when OpenVPN has handled the {@link finalCommands} of the last {@link stop}, or has not in time. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  start(): void {
    if (this.#phase === 'stopped') this.#connect();
  }

  stop(): void {
    const lines = this.unavailableReason === undefined ? this.finalCommands() : [];
    if (lines.length > 0 && this.#connection !== undefined) {
      this.#closed = this.#connection.finish(lines.map((line) => `${line}\n`).join(''));
      this.#connection = undefined;
    }
    this.#phase = 'stopped';
    this.#disconnect();
    this.#exchanges.clear(`subflowd no longer uses the management interface at ${this.name}`);
  }

  /** Connects now instead of at the end of the back-off. Call this when something shows that OpenVPN runs. */
  retryNow(): void {
    if (this.#phase !== 'waiting' || performance.now() - this.#lastTry < MIN_RETRY_MS) return;
    this.#connect();
  }

  /** OpenVPN's greeting, while it is connected. */
  get greeting(): string | undefined {
    return this.#greeting;
  }

  /** As {@link ManagementInfo.version}; empty until OpenVPN has answered. */
  get version(): string {
    return this.#version;
  }

  /** Why no command can be sent now; undefined if one can. */
  get unavailableReason(): string | undefined {
    if (this.#phase === 'asking' || this.isReady) return undefined;
    return this.#lastProblem ?? `the management interface at ${this.name} is not connected yet`;
  }

  /** Sends `status 3`. Does nothing while not ready, or while OpenVPN has not answered the last request. */
  requestStatus(): void {
    if (!this.isReady || this.#isStatusRequested) return;
    this.#isStatusRequested = true;
    const askedAt = performance.now();
    this.ask({ text: 'status 3', endings: ['block'], isReadOnly: true }, (reply) => {
      this.#isStatusRequested = false;
      if ('lost' in reply) return;
      const [lines = []] = reply.parts;
      if (lines.at(-1) === 'END') {
        this.#problems.resolve('status');
        this.emit('status', lines.slice(0, -1), askedAt);
      } else
        this.#report(
          'status',
          `${this.name} answers "status 3" with ${this.#quote(lines.slice(0, 10).join(' '))}`,
        );
    });
  }

  /** A console client ends waits of this kind from now on. */
  addHandler(reason: WaitReason): void {
    this.#waits.resolve(reason);
  }

  /** Sends a command. The handler is called once, and immediately if there is no connection. */
  ask(request: Request, handler: ReplyHandler): void {
    const { unavailableReason } = this;
    if (unavailableReason !== undefined) {
      handler({ lost: unavailableReason });
      return;
    }
    const endedWait = waitEndedBy(request.text);
    this.#exchanges.ask(request, (reply) => {
      const hasSucceeded = 'parts' in reply && reply.parts.flat().some((line) => line.startsWith('SUCCESS:'));
      if (endedWait !== undefined && hasSucceeded) this.#waits.resolve(endedWait);
      handler(reply);
    });
  }

  #connect(): void {
    this.#retry.cancel();
    this.#phase = 'greeting';
    this.#lastTry = performance.now();
    this.#connection = new ManagementConnection(
      {
        target: this.#target,
        user: this.#options.user,
        passwordFile: this.#options.passwordFile,
        greetingMs: this.#options.greetingMs ?? GREETING_MS,
      },
      {
        onLine: (line) => {
          this.#readLine(line);
        },
        onFailure: (reason) => {
          this.#fail(reason);
        },
        onHangUp: (hasUnfinishedLine) => {
          this.#fail(
            hasUnfinishedLine || !this.#exchanges.isIdle
              ? 'it closed the connection in the middle of a line or an answer'
              : 'it closed the connection',
          );
        },
      },
    );
  }

  #readLine(line: string): void {
    if (line.startsWith('>') && !this.#exchanges.ownsMessage(line)) this.#readMessage(line);
    else if (this.#phase === 'greeting') {
      if (line.startsWith('ERROR:'))
        this.#fail(`it refuses the password in ${this.#options.passwordFile ?? ''}`);
      else if (!line.startsWith('SUCCESS:')) {
        this.#fail(`it greets with ${this.#quote(line)}: it is not a management interface of OpenVPN`);
      }
    } else this.#exchanges.push(line);
  }

  /** @throws {TooLongError} if the message is longer than allowed. */
  #readMessage(line: string): void {
    const lines = this.#messages.push(line);
    if (lines === undefined) return;
    if (this.#phase === 'greeting') {
      if (splitMessage(lines).source === 'INFO') this.#onGreeting(line);
      return;
    }
    this.emit('message', lines);
    this.#waits.onMessage(lines);
    const message = readClientMessage(lines);
    if (message !== undefined) this.emit('client', message);
  }

  #onGreeting(greeting: string): void {
    this.#connection?.greeted();
    this.#phase = 'asking';
    this.#greeting = greeting;
    this.#connectedAt = performance.now();
    this.ask({ text: 'version', endings: ['block'] }, (reply) => {
      const [lines = []] = 'parts' in reply ? reply.parts : [];
      this.#version = (lines.find((line) => line.startsWith('OpenVPN Version:')) ?? '').replace(
        /^OpenVPN Version:\s*/,
        '',
      );
    });
    // Another management client may have left a filter that removes the clients' names. OpenVPN without it answers an error.
    this.ask({ text: 'env-filter 0', endings: ['line'] }, () => undefined);
    this.ask({ text: 'pid', endings: ['line'] }, (reply) => {
      if ('lost' in reply) return;
      const line = reply.parts[0]?.at(-1) ?? '';
      const pid = /^SUCCESS: pid=(\d{1,10})$/.exec(line)?.[1];
      if (pid === undefined) {
        this.#fail(`it answers "pid" with ${this.#quote(line)}`);
        return;
      }
      this.#phase = 'ready';
      this.#lastProblem = undefined;
      this.#problems.resolve('unreachable');
      this.#exchanges.pid = Number(pid);
      const listenerPid = this.#connection?.listenerPid;
      this.emit('ready', {
        pid: Number(pid),
        version: this.#version,
        ...(listenerPid !== undefined && { listenerPid }),
      });
    });
    this.emit('greeted', greeting);
  }

  /** Ends this connection, and connects again after the back-off. */
  #fail(reason: string): void {
    if (this.#phase === 'stopped' || this.#phase === 'waiting') return;
    const wasReady = this.#phase === 'ready';
    const wasGreeted = this.#greeting !== undefined;
    if (wasReady && performance.now() - this.#connectedAt >= STEADY_MS) this.#retry.reset();
    this.#phase = 'waiting';
    this.#disconnect();
    this.#retry.later();
    this.#report('unreachable', `the management interface at ${this.name} is not available: ${reason}`);
    this.#waits.resolveAll();
    this.#problems.resolve('status');
    this.#exchanges.clear(this.#lastProblem ?? reason);
    if (wasGreeted) this.emit('hungUp', reason);
    if (wasReady) this.emit('lost');
  }

  #disconnect(): void {
    this.#retry.cancel();
    this.#connection?.close();
    this.#messages.clear();
    this.#greeting = undefined;
    this.#version = '';
  }

  #quote(text: string): string {
    return this.#connection?.quote(text) ?? quote(text);
  }

  #report(key: string, text: string): void {
    this.#lastProblem = text;
    this.#problems.open(key, text);
  }
}
