import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Backoff } from './backoff.js';
import { hasCode, reasonOf } from './errno.js';
import { LineSplitter } from '../lines.js';

/** Where a management interface listens. */
export type ManagementTarget = { readonly socket: string } | { readonly host: string; readonly port: number };

export interface ManagementOptions {
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

interface ManagementMap {
  /** The interface was greeted and knows its process. */
  ready: [ManagementInfo];
  /** The answer to {@link Management.requestStatus}: its lines, and `performance.now()` when it was asked for. */
  status: [readonly string[], number];
  client: [ClientNotice];
  /** The connection that was ready is lost; another is being made. */
  lost: [];
  /** Something that an admin should mend, once for each outage. */
  problem: [string];
}

interface Command {
  readonly text: string;
  /** `block`: lines until `END`. */
  readonly answer: 'line' | 'block';
  readonly done: (lines: readonly string[]) => void;
  askedAt: number;
}

const MAX_LINE_BYTES = 64 * 1024;
/** Of one answer; `status 3` has about 200 bytes for a client. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_WAITING_COMMANDS = 16;
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
]);

/**
 * A client of OpenVPN's management interface (its doc/management-notes.txt) that only asks and listens: it never
 * holds, kills or authenticates anything. It stays connected and comes back by itself. The peer is not trusted: lines
 * and answers are bounded, and one that breaks the protocol is cut off.
 */
export class Management extends EventEmitter<ManagementMap> {
  readonly #target: ManagementTarget;
  readonly #options: ManagementOptions;
  readonly #backoff: Backoff;
  readonly #greetingMs: number;
  readonly #answerMs: number;
  #socket: Socket | undefined;
  #phase: 'stopped' | 'waiting' | 'greeting' | 'asking' | 'ready' = 'stopped';
  #lines = new LineSplitter(MAX_LINE_BYTES);
  #commands: Command[] = [];
  #answer: string[] = [];
  #answerBytes = 0;
  #notice: { type: string; cid: number; fields: Map<string, string> } | undefined;
  #passwordSent = false;
  #timer: NodeJS.Timeout | undefined;
  #connectedAt = 0;
  #lastTry = 0;
  #lastProblem: string | undefined;

  constructor(target: ManagementTarget, options: ManagementOptions = {}) {
    super();
    this.#target = target;
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
    this.#greetingMs = options.greetingMs ?? 5_000;
    this.#answerMs = options.answerMs ?? 30_000;
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
    this.#phase = 'stopped';
    this.#drop();
  }

  /** Tries at once instead of at the end of the back-off: there is news that OpenVPN lives. */
  retryNow(): void {
    if (this.#phase !== 'waiting' || performance.now() - this.#lastTry < MIN_RETRY_MS) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** Asks for `status 3`; does nothing while not ready, or while one is asked for already. */
  requestStatus(): void {
    const text = 'status 3';
    if (!this.ready || this.#commands.some((command) => command.text === text)) return;
    const command: Command = {
      text,
      answer: 'block',
      askedAt: 0,
      done: (lines) => this.emit('status', lines, command.askedAt),
    };
    this.#send(command);
  }

  #connect(): void {
    this.#phase = 'greeting';
    this.#lastTry = performance.now();
    this.#passwordSent = false;
    const socket =
      'socket' in this.#target
        ? connect({ path: this.#target.socket })
        : connect({ host: this.#target.host, port: this.#target.port, noDelay: true });
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    socket.on('error', (error) => {
      this.#fail(describeConnectError(error));
    });
    socket.on('close', () => {
      this.#fail(
        this.#lines.rest === '' && this.#commands.length === 0
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
      if (!(error instanceof RangeError)) throw error;
      this.#fail(`it sent ${error.message}: it is no management interface of OpenVPN`);
      return;
    }
    if (this.#phase === 'greeting' && this.#lines.rest === PROMPT) this.#enterPassword();
  }

  #enterPassword(): void {
    // no line end follows the prompt: what comes next begins a line
    this.#lines.clear();
    const file = this.#options.passwordFile;
    if (this.#passwordSent) this.#fail(`it refuses the password in ${file ?? 'the password file'}`);
    else if (file === undefined)
      this.#fail('it asks for a password: say `password-file =` in its [openvpn] section');
    else {
      let password: string;
      try {
        password = /^[^\r\n]*/.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
      } catch (error) {
        this.#fail(`cannot read its password file: ${reasonOf(error)}`);
        return;
      }
      this.#passwordSent = true;
      this.#socket?.write(`${password}\n`);
    }
  }

  #readLine(line: string): void {
    const text = line.startsWith(PROMPT) ? line.slice(PROMPT.length) : line;
    if (text.startsWith('>')) this.#readNotice(text);
    else if (this.#phase === 'greeting') {
      if (text.startsWith('ERROR:'))
        this.#fail(`it refuses the password in ${this.#options.passwordFile ?? ''}`);
      else if (!text.startsWith('SUCCESS:')) {
        this.#fail(`it greets with ${quote(text)}: it is no management interface of OpenVPN`);
      }
    } else this.#readAnswer(text);
  }

  #readAnswer(line: string): void {
    const command = this.#commands[0];
    // lines that nobody asked for are left unread, as `log` might have been turned on by OpenVPN's config
    if (command === undefined) return;
    this.#answerBytes += line.length + 1;
    if (this.#answerBytes > MAX_ANSWER_BYTES) {
      this.#fail(`its answer to ${quote(command.text)} is longer than ${MAX_ANSWER_BYTES} bytes`);
      return;
    }
    const failed = this.#answer.length === 0 && line.startsWith('ERROR:');
    const ends = command.answer === 'block' ? line === 'END' : line.startsWith('SUCCESS:');
    if (!ends && !failed) {
      if (command.answer === 'block') this.#answer.push(line);
      return;
    }
    const lines = command.answer === 'block' ? this.#answer : [line];
    this.#commands.shift();
    this.#answer = [];
    this.#answerBytes = 0;
    this.#watchAnswers();
    if (failed) this.#problem(`${this.name} answers ${quote(command.text)} with ${quote(line)}`);
    else command.done(lines);
  }

  #readNotice(text: string): void {
    const [, source = '', rest = ''] = /^>([A-Z_-]+):(.*)$/s.exec(text) ?? [];
    if (source === 'CLIENT') this.#readClientNotice(rest);
    else if (source === 'INFO' && this.#phase === 'greeting') this.#greeted();
    else if (source === 'HOLD') {
      this.#problem(
        `OpenVPN at ${this.name} waits for a management client to release it (management-hold), which ` +
          'subflowd does not do: remove management-hold from its config',
      );
    } else if (source === 'PASSWORD' && rest.startsWith('Need ')) {
      this.#problem(
        `OpenVPN at ${this.name} waits for a password that subflowd does not have: ${quote(rest)}`,
      );
    }
  }

  #readClientNotice(rest: string): void {
    const variable = /^ENV,(.*)$/s.exec(rest)?.[1];
    if (variable === undefined) {
      const [, type = '', cid = ''] = /^([A-Z_]+),(\d{1,15})/.exec(rest) ?? [];
      this.#notice = { type, cid: Number(cid), fields: new Map() };
      if (type === 'CONNECT' || type === 'REAUTH') {
        this.#problem(
          `OpenVPN at ${this.name} waits for its management client to let clients in (management-client-auth), ` +
            'which subflowd does not do: nobody can connect; remove management-client-auth from its config, or ' +
            'leave the management interface to the program that authenticates and let the hooks tell subflowd',
        );
      }
      return;
    }
    const notice = this.#notice;
    if (notice === undefined) return;
    if (variable !== 'END') {
      const equals = variable.indexOf('=');
      const name = variable.slice(0, equals);
      if (KEPT_VARIABLES.has(name)) notice.fields.set(name, variable.slice(equals + 1));
      return;
    }
    this.#notice = undefined;
    const { type, cid, fields } = notice;
    if (type === 'ESTABLISHED' || type === 'DISCONNECT') this.emit('client', { type, cid, fields });
  }

  #greeted(): void {
    clearTimeout(this.#timer);
    this.#phase = 'asking';
    this.#connectedAt = performance.now();
    let version = '';
    this.#send({
      text: 'version',
      answer: 'block',
      askedAt: 0,
      done: (lines) => {
        version = (lines.find((line) => line.startsWith('OpenVPN Version:')) ?? '').replace(
          /^OpenVPN Version:\s*/,
          '',
        );
      },
    });
    this.#send({
      text: 'pid',
      answer: 'line',
      askedAt: 0,
      done: ([line]) => {
        const pid = /^SUCCESS: pid=(\d{1,10})$/.exec(line ?? '')?.[1];
        if (pid === undefined) {
          this.#fail(`it answers "pid" with ${quote(line ?? '')}`);
          return;
        }
        this.#phase = 'ready';
        this.#lastProblem = undefined;
        this.emit('ready', { pid: Number(pid), version });
      },
    });
  }

  #send(command: Command): void {
    if (this.#commands.length >= MAX_WAITING_COMMANDS) return;
    command.askedAt = performance.now();
    this.#commands.push(command);
    this.#socket?.write(`${command.text}\n`);
    if (this.#commands.length === 1) this.#watchAnswers();
  }

  /** One timer for the oldest command: the others are answered after it. */
  #watchAnswers(): void {
    clearTimeout(this.#timer);
    const command = this.#commands[0];
    if (command === undefined) return;
    this.#timer = setTimeout(() => {
      this.#fail(`it does not answer ${quote(command.text)} within ${this.#answerMs / 1000} s`);
    }, this.#answerMs);
  }

  /** Ends this connection and plans the next. */
  #fail(reason: string): void {
    if (this.#phase === 'stopped' || this.#phase === 'waiting') return;
    const wasReady = this.#phase === 'ready';
    if (wasReady && performance.now() - this.#connectedAt >= STEADY_MS) this.#backoff.reset();
    this.#phase = 'waiting';
    this.#drop();
    this.#timer = setTimeout(() => {
      this.#connect();
    }, this.#backoff.next());
    this.#problem(`the management interface at ${this.name} is not to be had: ${reason}`);
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
    this.#commands = [];
    this.#answer = [];
    this.#answerBytes = 0;
    this.#notice = undefined;
  }

  #problem(text: string): void {
    if (this.#lastProblem === text) return;
    this.#lastProblem = text;
    this.emit('problem', text);
  }
}

function describeTarget(target: ManagementTarget): string {
  return 'socket' in target ? target.socket : `${target.host}:${target.port}`;
}

function describeConnectError(error: Error): string {
  if (hasCode(error, 'ENOENT'))
    return 'there is no such socket (is OpenVPN running, with this `management` line?)';
  if (hasCode(error, 'ECONNREFUSED'))
    return 'nobody listens there (is OpenVPN running, with this `management` line?)';
  if (hasCode(error, 'EAGAIN')) {
    return 'too many others wait for it (OpenVPN serves one management client at a time): end the other clients';
  }
  return reasonOf(error);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}
