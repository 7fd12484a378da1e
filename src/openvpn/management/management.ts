import { EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Backoff } from '../../util/backoff.js';
import { reasonOf } from '../../util/errno.js';
import { Exchanges, type Request, type Taker } from './exchanges.js';
import { LineSplitter, ownCopy, TooLongError } from '../../util/lines.js';
import { readPasswordFile } from '../../util/password-file.js';
import { describeConnectError, describeTarget, quote } from './management-text.js';
import { watchListener, type ManagementTarget } from './listener.js';
import { NoticeReader, sourceOf } from './notices.js';
import { Problems, type ProblemMap } from '../../util/problems.js';
import { PROTOCOL_VARIABLES } from '../records/record.js';

export type { ManagementTarget };

export interface ManagementOptions {
  /** Who may listen there besides root and this process's user; name or number. */
  readonly user?: string;
  /** File whose first line is the password; read anew at each connect. */
  readonly passwordFile?: string;
  /** Milliseconds until the greeting must have come. */
  readonly greetingMs?: number;
  /** Milliseconds until a command must have been answered; OpenVPN answers nothing while a script runs. */
  readonly answerMs?: number;
  readonly backoff?: Backoff;
}

export interface ManagementInfo {
  readonly pid: number;
  /** First line of `version`, without its title: `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`. */
  readonly version: string;
}

/** A `>CLIENT:` message with the variables that came with it, those of {@link KEPT_VARIABLES}. */
export interface ClientNotice {
  readonly type: 'ESTABLISHED' | 'DISCONNECT';
  readonly cid: number;
  readonly fields: ReadonlyMap<string, string>;
}

/** What a management client can be waited for. */
export type Question = 'auth' | 'hold' | 'password';

interface ManagementMap extends ProblemMap {
  /** OpenVPN has greeted, with this line; what comes from now on is told of. */
  greeted: [string];
  /** The interface was greeted and knows its process. */
  ready: [ManagementInfo];
  /** The answer to {@link Management.requestStatus}: its lines, and `performance.now()` when it was asked for. */
  status: [readonly string[], number];
  client: [ClientNotice];
  /** Any real-time message but the greeting: its lines, those of its variables too. */
  notice: [readonly string[]];
  /** The connection that was greeted is lost, with the reason; another is being made. */
  hungUp: [string];
  /** The connection that was ready is lost; another is being made. */
  lost: [];
}

export const MAX_LINE_BYTES = 64 * 1024;
/** Within how many milliseconds it must greet, and then answer each command. */
export const GREETING_MS = 5_000;
export const ANSWER_MS = 30_000;
/** A connection that lived this many milliseconds was a good one: the next is tried soon. */
const STEADY_MS = 5_000;
const MIN_RETRY_MS = 250;
const PROMPT = 'ENTER PASSWORD:';
const KEPT_VARIABLES = new Set([
  'common_name',
  'daemon_pid',
  'trusted_ip',
  'trusted_ip6',
  'trusted_port',
  'ifconfig_pool_remote_ip',
  'ifconfig_pool_remote_ip6',
  'time_unix',
  ...PROTOCOL_VARIABLES,
]);

/** What OpenVPN waits for, and the command that ends it. It asks again whoever connects next. */
const ANSWERS: Readonly<Record<Question, RegExp>> = {
  hold: /^hold release\b/,
  password: /^(?:password|username)\b/,
  auth: /^client-(?:auth|auth-nt|deny)\b/,
};
const QUESTIONS = Object.keys(ANSWERS) as Question[];

/**
 * A client of OpenVPN's management interface (its doc/management-notes.txt). By itself it only asks and listens: it
 * never holds, kills or authenticates anything. It stays connected and comes back by itself. Nothing is said to a peer that
 * is not OpenVPN's user's ({@link watchListener}). Nor is that one trusted further: lines and answers are bounded, and one
 * that breaks the protocol is cut off.
 */
export class Management extends EventEmitter<ManagementMap> {
  readonly #target: ManagementTarget;
  readonly #options: ManagementOptions;
  readonly #backoff: Backoff;
  readonly #greetingMs: number;
  readonly #exchanges: Exchanges;
  readonly #notices = new NoticeReader();
  #socket: Socket | undefined;
  #phase: 'stopped' | 'waiting' | 'greeting' | 'asking' | 'ready' = 'stopped';
  #lines = new LineSplitter(MAX_LINE_BYTES);
  /** What was said to this peer as the password: it may say it back. */
  #password: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #connectedAt = 0;
  #lastTry = 0;
  #lastProblem: string | undefined;
  readonly #problems = new Problems({
    onProblem: (text, key) => this.emit('problem', text, key),
    onResolved: (key) => this.emit('resolved', key),
  });
  #greeting: string | undefined;
  #version = '';
  #statusAsked = false;
  /** Whether somebody answers this kind of question; what nobody answers is a problem. */
  isAnswered: (question: Question) => boolean = () => false;
  /** What is said to OpenVPN, a line each, before it is left for good: what it would keep although nobody wants it. */
  farewell: () => readonly string[] = () => [];

  constructor(target: ManagementTarget, options: ManagementOptions = {}) {
    super();
    this.#target = target;
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
    this.#greetingMs = options.greetingMs ?? GREETING_MS;
    this.#exchanges = new Exchanges({
      send: (text) => this.#socket?.write(text),
      broken: (reason) => {
        this.#fail(reason);
      },
      answerMs: options.answerMs ?? ANSWER_MS,
    });
  }

  get ready(): boolean {
    return this.#phase === 'ready';
  }

  /** Why there is no connection, while there is none. */
  get trouble(): string | undefined {
    return this.ready ? undefined : this.#lastProblem;
  }

  get name(): string {
    return describeTarget(this.#target);
  }

  start(): void {
    if (this.#phase === 'stopped') this.#connect();
  }

  stop(): void {
    if (this.unable === undefined) for (const line of this.farewell()) this.#socket?.write(`${line}\n`);
    this.#phase = 'stopped';
    this.#drop();
    this.#exchanges.clear(`subflowd no longer asks the management interface at ${this.name}`);
  }

  /** Tries at once instead of at the end of the back-off: there is news that OpenVPN lives. */
  retryNow(): void {
    if (this.#phase !== 'waiting' || performance.now() - this.#lastTry < MIN_RETRY_MS) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** OpenVPN's greeting, while it is connected. */
  get greeting(): string | undefined {
    return this.#greeting;
  }

  /** As {@link ManagementInfo.version}; empty until it is told. */
  get version(): string {
    return this.#version;
  }

  /** Why commands cannot be asked now; undefined where they can. */
  get unable(): string | undefined {
    if (this.#phase === 'asking' || this.ready) return undefined;
    return this.#lastProblem ?? `the management interface at ${this.name} is not connected yet`;
  }

  /** Asks for `status 3`; does nothing while not ready, or while one is asked for already. */
  requestStatus(): void {
    if (!this.ready || this.#statusAsked) return;
    this.#statusAsked = true;
    const askedAt = performance.now();
    this.ask({ text: 'status 3', endings: ['block'], isQuestion: true }, (reply) => {
      this.#statusAsked = false;
      if ('lost' in reply) return;
      const [lines = []] = reply.parts;
      if (lines.at(-1) === 'END') {
        this.#problems.resolve('status');
        this.emit('status', lines.slice(0, -1), askedAt);
      } else
        this.#problem(
          'status',
          `${this.name} answers "status 3" with ${this.#quote(lines.slice(0, 10).join(' '))}`,
        );
    });
  }

  /** Somebody answers this kind of question from now on. */
  hasAnswerer(question: Question): void {
    this.#problems.resolve(question);
  }

  /** Asks OpenVPN for anything; the taker is called once, at once where there is no connection. */
  ask(request: Request, taker: Taker): void {
    const { unable } = this;
    if (unable !== undefined) {
      taker({ lost: unable });
      return;
    }
    const answered = QUESTIONS.find((question) => ANSWERS[question].test(request.text));
    this.#exchanges.ask(request, (reply) => {
      const isAnswered = 'parts' in reply && reply.parts.flat().some((line) => line.startsWith('SUCCESS:'));
      if (answered !== undefined && isAnswered) this.#problems.resolve(answered);
      taker(reply);
    });
  }

  #connect(): void {
    this.#phase = 'greeting';
    this.#lastTry = performance.now();
    this.#password = undefined;
    const socket =
      'socket' in this.#target
        ? connect({ path: this.#target.socket })
        : connect({ host: this.#target.host, port: this.#target.port, noDelay: true });
    this.#socket = socket;
    const distrust = watchListener(socket, this.#target, this.#options.user);
    socket.on('connect', () => {
      const reason = distrust();
      if (reason !== undefined) this.#fail(reason);
    });
    socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    socket.on('error', (error) => {
      this.#fail(describeConnectError(error));
    });
    socket.on('close', () => {
      this.#fail(
        this.#lines.rest === '' && this.#exchanges.isIdle
          ? 'it hung up'
          : 'it hung up in the middle of a line or an answer',
      );
    });
    this.#timer = setTimeout(() => {
      this.#fail(
        'it says nothing: another management client is probably connected to it (OpenVPN serves one at a time), ' +
          'or OpenVPN waits for a script; end the other client',
      );
    }, this.#greetingMs);
  }

  #receive(chunk: Buffer): void {
    const socket = this.#socket;
    try {
      for (const line of this.#lines.push(chunk)) {
        this.#readLine(line);
        if (this.#socket !== socket) return;
      }
    } catch (error) {
      // whatever is made of it, the trouble with what one OpenVPN sends is that one's
      this.#fail(
        error instanceof TooLongError
          ? `it sent ${error.message}: it is no management interface of OpenVPN`
          : `what it sent cannot be worked with (a fault of subflowd; please report it): ${(error as Error).message}`,
      );
      return;
    }
    if (this.#phase === 'greeting' && this.#lines.rest === PROMPT) this.#enterPassword();
  }

  #enterPassword(): void {
    // no line end follows the prompt: what comes next begins a line
    this.#lines.clear();
    const file = this.#options.passwordFile;
    if (this.#password !== undefined) this.#fail(`it refuses the password in ${file ?? 'the password file'}`);
    else if (file === undefined)
      this.#fail('it asks for a password: say `password-file =` in its [openvpn] section');
    else {
      let password: string;
      try {
        password = readPasswordFile(file);
      } catch (error) {
        this.#fail(`it asks for a password: ${reasonOf(error)}`);
        return;
      }
      this.#password = password;
      this.#socket?.write(`${password}\n`);
    }
  }

  #readLine(line: string): void {
    const text = line.startsWith(PROMPT) ? line.slice(PROMPT.length) : line;
    if (text.startsWith('>') && !this.#exchanges.owns(text)) this.#readNotice(text);
    else if (this.#phase === 'greeting') {
      if (text.startsWith('ERROR:'))
        this.#fail(`it refuses the password in ${this.#options.passwordFile ?? ''}`);
      else if (!text.startsWith('SUCCESS:')) {
        this.#fail(`it greets with ${this.#quote(text)}: it is no management interface of OpenVPN`);
      }
    } else this.#exchanges.push(text);
  }

  /** @throws {TooLongError} if it is longer than allowed. */
  #readNotice(line: string): void {
    const lines = this.#notices.push(line);
    if (lines === undefined) return;
    const { source, rest } = sourceOf(lines);
    if (this.#phase === 'greeting') {
      if (source === 'INFO') this.#greeted(line);
      return;
    }
    this.emit('notice', lines);
    if (source === 'CLIENT') this.#readClientNotice(lines);
    else if (source === 'HOLD' && !this.isAnswered('hold')) {
      this.#problem(
        'hold',
        `OpenVPN at ${this.name} waits for a management client to release it (management-hold), which ` +
          'subflowd does not do: say "hold release" at its console, or remove management-hold from its config',
      );
    } else if (source === 'PASSWORD' && rest.startsWith('Need ') && !this.isAnswered('password')) {
      this.#problem(
        'password',
        `OpenVPN at ${this.name} waits for a password that subflowd does not have, ${this.#quote(rest)}: ` +
          'give it at its console',
      );
    }
  }

  #readClientNotice([head = '', ...variables]: readonly string[]): void {
    const [, type = '', cid = ''] = /^>CLIENT:([A-Z_]+),(\d{1,15})/.exec(head) ?? [];
    const isAsked = type === 'CONNECT' || type === 'REAUTH';
    if (type === 'ESTABLISHED' || (isAsked && this.isAnswered('auth'))) this.#problems.resolve('auth');
    else if (isAsked) {
      this.#problem(
        'auth',
        `OpenVPN at ${this.name} waits for its management client to let clients in (management-client-auth), ` +
          'which subflowd does not do: nobody can connect; let the program that authenticates say ' +
          '"mptcp claim auth" at its console, or remove management-client-auth from its config',
      );
    }
    if (type !== 'ESTABLISHED' && type !== 'DISCONNECT') return;
    const fields = new Map<string, string>();
    for (const variable of variables) {
      const [, name = '', value = ''] = /^>CLIENT:ENV,([^=]*)=(.*)$/s.exec(variable) ?? [];
      if (KEPT_VARIABLES.has(name)) fields.set(name, ownCopy(value));
    }
    this.emit('client', { type, cid: Number(cid), fields });
  }

  #greeted(greeting: string): void {
    clearTimeout(this.#timer);
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
      this.emit('ready', { pid: Number(pid), version: this.#version });
    });
    this.emit('greeted', greeting);
  }

  /** Ends this connection and plans the next. */
  #fail(reason: string): void {
    if (this.#phase === 'stopped' || this.#phase === 'waiting') return;
    const wasReady = this.#phase === 'ready';
    const wasGreeted = this.#greeting !== undefined;
    if (wasReady && performance.now() - this.#connectedAt >= STEADY_MS) this.#backoff.reset();
    this.#phase = 'waiting';
    this.#drop();
    this.#timer = setTimeout(() => {
      this.#connect();
    }, this.#backoff.next());
    this.#problem('unreachable', `the management interface at ${this.name} is not available: ${reason}`);
    for (const key of [...QUESTIONS, 'status']) this.#problems.resolve(key);
    this.#exchanges.clear(this.#lastProblem ?? reason);
    if (wasGreeted) this.emit('hungUp', reason);
    if (wasReady) this.emit('lost');
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      socket.removeAllListeners();
      // a reset that comes after we let go is nobody's concern
      socket.on('error', () => undefined);
      socket.destroy();
    }
    this.#lines.clear();
    this.#notices.clear();
    this.#greeting = undefined;
    this.#version = '';
  }

  /** What the peer says, for messages; not where it says the password back. */
  #quote(text: string): string {
    const password = this.#password ?? '';
    if (password !== '' && text.includes(password)) return 'what holds the password';
    return quote(text);
  }

  #problem(key: string, text: string): void {
    this.#lastProblem = text;
    this.#problems.open(key, text);
  }
}
